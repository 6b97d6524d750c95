internal import Foundation

/// The files that the process may have open, of which every connection is one.
enum OpenFiles {
  /// What is left for the database, models and whatever else is opened, so that a request that was taken can be answered.
  private static let reserve = 128
  private static let most = 1 << 16

  /// Raises the limit as far as the process may: it is 1024 in many places, for programs that wait with select(2).
  /// - Returns: how many connections there are files for.
  static func connections() -> Int {
    var limit = rlimit()
    #if canImport(Darwin)
    let resource = RLIMIT_NOFILE
    #else
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif
    guard getrlimit(resource, &limit) == 0 else { return 1024 - reserve }
    if limit.rlim_cur < most, limit.rlim_cur < limit.rlim_max {
      let before = limit.rlim_cur
      limit.rlim_cur = min(limit.rlim_max, rlim_t(most))
      if setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
    }
    return max(16, min(most, Int(clamping: limit.rlim_cur)) - reserve)
  }
}

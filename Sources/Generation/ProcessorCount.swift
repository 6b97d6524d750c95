internal import Foundation

/// How many processors this process may use.
public enum ProcessorCount {
  /// Those that it may run on (`taskset`, cpusets), no more than the time that its control groups may have (`docker run --cpus`):
  /// threads beyond these would wait for each other. At least 1.
  public static var available: Int {
    func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
    var count = affinity ?? ProcessInfo.processInfo.activeProcessorCount
    if let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo"),
      let quota = quota(groups: groups, mounts: mounts, read: read)
    {
      count = min(count, Int(quota))
    }
    return max(1, count)
  }

  /// nil where the system does not tell.
  private static var affinity: Int? {
    #if os(Linux)
    var set = cpu_set_t()
    guard sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else { return nil }
    return withUnsafeBytes(of: set) { bytes in bytes.reduce(0) { $0 + $1.nonzeroBitCount } }
    #else
    return nil
    #endif
  }

  /// The fewest processors that a control group may have the time of; nil where none is limited.
  /// - Parameters:
  ///   - groups: what /proc/self/cgroup holds.
  ///   - mounts: what /proc/self/mountinfo holds.
  ///   - read: the text of a file; nil when there is none.
  static func quota(groups: String, mounts: String, read: (String) -> String?) -> Double? {
    ControlGroup.all(of: "cpu", groups: groups, mounts: mounts).compactMap { group -> Double? in
      // Microseconds of all processors in a period of so many: `150000 100000`, and `max` or -1 for any number.
      let names = group.isVersion2 ? ["cpu.max"] : ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
      let values = names.compactMap { read(group.folder + "/" + $0) }.joined(separator: " ").split(whereSeparator: \.isWhitespace)
      guard values.count == 2, let time = Double(values[0]), let period = Double(values[1]), time > 0, period > 0 else {
        return nil
      }
      return min(time / period, 1024)
    }.min()
  }
}

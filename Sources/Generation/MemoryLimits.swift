internal import Foundation

/// How much memory this process may have.
public struct MemoryLimits: Sendable, Equatable {
  /// A number of bytes and whoever allows no more.
  public struct Limit: Sendable, Equatable {
    public var bytes: Int
    /// As an error names it: `the machine's memory`.
    public var source: String

    public init(bytes: Int, source: String) {
      self.bytes = bytes
      self.source = source
    }
  }

  /// For all that is in memory at once, the used parts of mapped files among it.
  public var resident: Limit
  /// For addresses, mapped files as a whole among them (`ulimit -v`).
  public var addresses: Limit?
  /// For memory of the process's own, without mapped files (`ulimit -d`).
  public var data: Limit?

  public init(resident: Limit, addresses: Limit? = nil, data: Limit? = nil) {
    self.resident = resident
    self.addresses = addresses
    self.data = data
  }

  /// Those of the machine, of the control groups this process is in, and of its resource limits. What other processes hold comes and
  /// goes, so it does not count.
  public static var current: MemoryLimits {
    var limits = [Limit(bytes: Int(clamping: ProcessInfo.processInfo.physicalMemory), source: "the machine's memory")]
    func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
    if let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") {
      limits += controlGroupLimits(groups: groups, mounts: mounts, read: read)
    }
    return MemoryLimits(
      resident: limits.min { $0.bytes < $1.bytes } ?? limits[0],
      addresses: resourceLimit(RLIMIT_AS).map { Limit(bytes: $0, source: "the limit of addresses (ulimit -v)") },
      data: resourceLimit(RLIMIT_DATA).map { Limit(bytes: $0, source: "the limit of data (ulimit -d)") })
  }

  #if canImport(Darwin)
  private typealias Resource = Int32
  #else
  private typealias Resource = __rlimit_resource
  #endif

  private static func resourceLimit(_ resource: Resource) -> Int? {
    var limit = rlimit()
    #if canImport(Darwin)
    guard getrlimit(resource, &limit) == 0 else { return nil }
    #else
    guard getrlimit(.init(resource.rawValue), &limit) == 0 else { return nil }
    #endif
    // "No limit" is more than Int holds.
    return Int(exactly: limit.rlim_cur)
  }

  /// The limits of a process's control groups and of all above them.
  /// - Parameters:
  ///   - groups: what /proc/self/cgroup holds.
  ///   - mounts: what /proc/self/mountinfo holds.
  ///   - read: the text of a file; nil when there is none.
  static func controlGroupLimits(groups: String, mounts: String, read: (String) -> String?) -> [Limit] {
    ControlGroup.all(of: "memory", groups: groups, mounts: mounts).flatMap { group in
      (group.isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]).compactMap { name in
        let file = group.folder + "/" + name
        guard let text = read(file)?.trimmingCharacters(in: .whitespacesAndNewlines), let bytes = Int(text) else { return nil }
        return Limit(bytes: bytes, source: "the control group (\(file))")
      }
    }
  }
}

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

  /// The limits of a process's control groups and of all above them, of version 1 and 2 (kernel documentation, admin-guide/cgroup-v2
  /// and cgroup-v1/memory).
  /// - Parameters:
  ///   - groups: what /proc/self/cgroup holds.
  ///   - mounts: what /proc/self/mountinfo holds.
  ///   - read: the text of a file; nil when there is none.
  static func controlGroupLimits(groups: String, mounts: String, read: (String) -> String?) -> [Limit] {
    var limits: [Limit] = []
    for mount in mounts.split(separator: "\n") {
      // `31 23 0:28 /root /mount/point options … - type source options`
      let fields = mount.split(separator: " "), end = fields.firstIndex(of: "-") ?? fields.endIndex
      guard fields.count > end + 3, end >= 6 else { continue }
      let isVersion2 = fields[end + 1] == "cgroup2"
      if !isVersion2 {
        guard fields[end + 1] == "cgroup", fields[end + 3].split(separator: ",").contains("memory") else { continue }
      }
      guard let group = groupPath(groups, isVersion2: isVersion2) else { continue }
      // In a container the mount shows a part of the tree; the group may be named from its root or from the mount's.
      let root = fields[3] == "/" ? "" : String(fields[3])
      var path = group.hasPrefix(root) ? String(group.dropFirst(root.count)) : group
      while true {
        for name in isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"] {
          let file = fields[4] + path + "/" + name
          guard let text = read(file)?.trimmingCharacters(in: .whitespacesAndNewlines), let bytes = Int(text) else { continue }
          limits.append(Limit(bytes: bytes, source: "the control group (\(file))"))
        }
        guard let slash = path.lastIndex(of: "/") else { break }
        path = String(path[..<slash])
      }
    }
    return limits
  }

  /// The path of the group that bounds memory: `4:memory:/path`, in version 2 `0::/path`.
  private static func groupPath(_ groups: String, isVersion2: Bool) -> String? {
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if isVersion2 ? fields[0] == "0" : fields[1].split(separator: ",").contains("memory") { return String(fields[2]) }
    }
    return nil
  }
}

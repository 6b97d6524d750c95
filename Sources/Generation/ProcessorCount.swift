internal import Foundation

/// How many processors this process may use.
public enum ProcessorCount {
  /// Those that it may run on (`taskset`, cpusets), no more than the time that its control groups may have (`docker run --cpus`):
  /// threads beyond these would wait for each other. At least 1.
  public static var available: Int {
    func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
    var count = ProcessInfo.processInfo.activeProcessorCount
    if let allowed = read("/proc/self/status").flatMap({ affinity(status: $0) }) { count = min(count, allowed) }
    if let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo"),
      let quota = quota(groups: groups, mounts: mounts, read: read)
    {
      count = min(count, Int(quota))
    }
    return max(1, count)
  }

  /// How many processors the process may run on.
  /// - Parameter status: what /proc/self/status holds; the processors are bits of `Cpus_allowed: ff,ffffffff`.
  static func affinity(status: String) -> Int? {
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
    let count = line?.drop { $0 != ":" }.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
    return count == 0 ? nil : count
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

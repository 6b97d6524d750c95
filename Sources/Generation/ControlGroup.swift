/// A control group that this process is in, or one above it, as Linux keeps them (kernel documentation, admin-guide/cgroup-v2 and
/// cgroup-v1).
struct ControlGroup: Equatable {
  /// Where its limits stand.
  var folder: String
  var isVersion2: Bool

  /// Those of one controller, of version 1 and 2.
  /// - Parameters:
  ///   - controller: such as `memory`.
  ///   - groups: what /proc/self/cgroup holds.
  ///   - mounts: what /proc/self/mountinfo holds.
  static func all(of controller: String, groups: String, mounts: String) -> [ControlGroup] {
    var all: [ControlGroup] = []
    for mount in mounts.split(separator: "\n") {
      // `31 23 0:28 /root /mount/point options … - type source options`
      let fields = mount.split(separator: " "), end = fields.firstIndex(of: "-") ?? fields.endIndex
      guard fields.count > end + 3, end >= 6 else { continue }
      let isVersion2 = fields[end + 1] == "cgroup2"
      if !isVersion2 {
        guard fields[end + 1] == "cgroup", fields[end + 3].split(separator: ",").contains(Substring(controller)) else { continue }
      }
      guard let group = path(of: controller, groups, isVersion2: isVersion2) else { continue }
      // In a container the mount shows a part of the tree; the group may be named from its root or from the mount's.
      let root = fields[3] == "/" ? "" : String(fields[3])
      var path = group.hasPrefix(root) ? String(group.dropFirst(root.count)) : group
      while true {
        all.append(ControlGroup(folder: fields[4] + path, isVersion2: isVersion2))
        guard let slash = path.lastIndex(of: "/") else { break }
        path = String(path[..<slash])
      }
    }
    return all
  }

  /// The path of the group of a controller: `4:memory:/path`, in version 2 `0::/path`.
  private static func path(of controller: String, _ groups: String, isVersion2: Bool) -> String? {
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if isVersion2 ? fields[0] == "0" : fields[1].split(separator: ",").contains(Substring(controller)) {
        return String(fields[2])
      }
    }
    return nil
  }
}

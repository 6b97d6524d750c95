import Foundation

/// The few file operations the hub needs, with typed errors.
enum FileSystem {
  /// Bytes that an ordinary user may still write to the file system of `folder` (or of its nearest parent that exists).
  static func freeSpace(_ folder: String) -> Int? {
    var status = statvfs()
    var path = folder
    while statvfs(path, &status) != 0 {
      let parent = (path as NSString).deletingLastPathComponent
      guard parent != path, !parent.isEmpty else { return nil }
      path = parent
    }
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? Int.max : Int(clamping: bytes)
  }

  static func makeFolder(_ path: String) throws(HubError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw .fileSystem(operation: "create the folder", path: path, reason: reason(error))
    }
  }

  /// Makes a folder below one that others may write to, for this user alone.
  static func makePrivateFolder(_ path: String) throws(HubError) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw .fileSystem(operation: "create the folder", path: path, reason: reason(ofErrno: errno))
    }
    guard isPrivateFolder(path) else {
      throw .fileSystem(operation: "use the folder", path: path, reason: "it is no folder of this user's alone")
    }
  }

  /// Whether a folder is there, this user's own, in which nobody else can put anything.
  static func isPrivateFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
      && status.st_mode & 0o022 == 0
  }

  /// Replaces what is at `destination` in one step: a reader sees the old file or the new one.
  static func move(_ source: String, to destination: String) throws(HubError) {
    guard rename(source, destination) == 0 else {
      throw .fileSystem(operation: "move \(source) to", path: destination, reason: reason(ofErrno: errno))
    }
  }

  /// The text of a small file; nil when there is none, when it is no UTF-8 or no regular file: reading pipes may never end.
  static func text(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 1 << 20 else { return nil }
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      count = max(0, read(file, buffer.baseAddress, buffer.count))
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Writes a small text in one step. A file that already says so is left alone, with its date.
  static func write(_ text: String, to path: String) throws(HubError) {
    if Self.text(path) == text { return }
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw .fileSystem(operation: "write", path: path, reason: reason(error))
    }
  }

  /// Makes `path` a symbolic link with exactly this text, whatever was there.
  static func link(_ path: String, to target: String) throws(HubError) {
    if (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) == target { return }
    unlink(path)
    guard symlink(target, path) == 0 || errno == EEXIST else {
      throw .fileSystem(operation: "create the link", path: path, reason: reason(ofErrno: errno))
    }
  }

  /// Removes a file or a folder with all it holds; that nothing is there is no error.
  static func remove(_ path: String) throws(HubError) {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      var status = stat()
      guard lstat(path, &status) == 0 else { return }
      throw .fileSystem(operation: "remove", path: path, reason: reason(error))
    }
  }

  struct Entry {
    var isFolder: Bool
    var isLink: Bool
    var byteCount: Int
    var modified: Date
  }

  /// What is at `path`; a link's target unless `followingLinks` is false; nil when there is nothing.
  static func entry(_ path: String, followingLinks: Bool = true) -> Entry? {
    var status = stat()
    guard (followingLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
    let kind = status.st_mode & S_IFMT
    #if canImport(Darwin)
    let time = status.st_mtimespec
    #else
    let time = status.st_mtim
    #endif
    return Entry(
      isFolder: kind == S_IFDIR, isLink: kind == S_IFLNK, byteCount: Int(status.st_size),
      modified: Date(timeIntervalSince1970: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9))
  }

  /// The names in a folder in order; none when it does not exist.
  static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// The files below a folder as relative paths in order; broken links are left out, linked folders not entered.
  static func files(below folder: String, depth: Int = 8) -> [String] {
    var paths: [String] = []
    for name in names(in: folder) {
      let path = folder + "/" + name
      guard let entry = entry(path) else { continue }
      if !entry.isFolder {
        paths.append(name)
      } else if depth > 0, Self.entry(path, followingLinks: false)?.isLink == false {
        paths += files(below: path, depth: depth - 1).map { name + "/" + $0 }
      }
    }
    return paths
  }

  /// The bytes of the regular files below a folder, or of one file. Links count nothing.
  static func byteCount(below path: String) -> Int {
    guard let entry = entry(path, followingLinks: false), !entry.isLink else { return 0 }
    return entry.isFolder ? names(in: path).reduce(0) { $0 + byteCount(below: path + "/" + $1) } : entry.byteCount
  }

  static func reason(ofErrno code: Int32) -> String { String(cString: strerror(code)) }

  /// The system's own words where Foundation wraps them.
  static func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
      return reason(ofErrno: Int32(underlying.code))
    }
    if error.domain == NSPOSIXErrorDomain { return reason(ofErrno: Int32(error.code)) }
    let codes: [CocoaError.Code: Int32] = [
      .fileNoSuchFile: ENOENT, .fileReadNoSuchFile: ENOENT, .fileReadNoPermission: EACCES, .fileWriteNoPermission: EACCES,
      .fileWriteOutOfSpace: ENOSPC, .fileWriteVolumeReadOnly: EROFS,
    ]
    if error.domain == NSCocoaErrorDomain, let code = codes[CocoaError.Code(rawValue: error.code)] {
      return reason(ofErrno: code)
    }
    let text = error.localizedDescription
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }
}

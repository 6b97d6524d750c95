public import Foundation
public import SwiftletCheckpoints
internal import SwiftletTensors

/// A folder in which the packed weights of models are kept between runs, one file a model: a model starts at once from the second
/// time on, and processes share its memory.
public struct PackedWeightCache: Sendable {
  /// What happens while a model is loaded.
  public enum Event: Sendable, Equatable {
    case packing(completedBytes: Int, totalBytes: Int)
    /// Another process packs the same model.
    case waiting
    /// The weights are packed in memory, and will be again the next time.
    case notKept(reason: String)
  }

  /// A file of the cache.
  public struct Entry: Sendable {
    /// The path of the model; nil for a damaged file.
    public var model: String?
    public var path: String
    public var byteCount: Int
    public var lastUse: Date
  }

  public var folder: String
  /// Bytes that all files may take together, the models used longest ago giving way; nil for a fifth of the disk, at most 50 GB.
  /// None are kept when it is 0.
  public var limit: Int?
  /// Called on the thread that loads the model.
  public var onEvent: (@Sendable (Event) -> Void)?
  static let suffix = ".strips"

  public init(folder: String, limit: Int? = nil, onEvent: (@Sendable (Event) -> Void)? = nil) {
    self.folder = folder
    self.limit = limit
    self.onEvent = onEvent
  }

  /// Bytes that all files may take together, and what is free; nil when the system does not tell.
  private var room: (limit: Int, free: Int)? {
    DiskSpace(folder).map { (limit ?? min($0.total / 5, 50_000_000_000), $0.spare) }
  }

  /// What the limit is.
  public var byteLimit: Int? {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return room?.limit
  }

  private func files() -> [Entry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { name in
      let path = folder + "/" + name
      var status = stat()
      guard name.hasSuffix(Self.suffix), lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      #if canImport(Darwin)
      let time = status.st_atimespec
      #else
      let time = status.st_atim
      #endif
      return Entry(
        model: nil, path: path, byteCount: Int(status.st_size),
        lastUse: Date(timeIntervalSince1970: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9))
    }
  }

  /// The files, the one used last first.
  public func entries() -> [Entry] {
    files().sorted { $0.lastUse > $1.lastUse }.map { entry in
      var entry = entry
      entry.model = (try? PackedFile(path: entry.path))?.model
      // To look is not to use.
      PackedFile.setLastUse(of: entry.path, to: entry.lastUse)
      return entry
    }
  }

  /// Removes files, and what interrupted runs left. Models that are running keep what they have.
  /// - Returns: bytes that were freed.
  @discardableResult
  public func remove(_ entries: [Entry]) -> Int {
    PackedFileWriter.removeLeftovers(in: folder, ofFilesEndingIn: Self.suffix)
    return entries.reduce(0) { unlink($1.path) == 0 ? $0 + $1.byteCount : $0 }
  }

  /// Compares a file with its checksums; reads all of it.
  /// - Throws: `CheckpointError` when it is damaged.
  public func verify(_ entry: Entry) throws(CheckpointError) {
    defer { PackedFile.setLastUse(of: entry.path, to: entry.lastUse) }
    try PackedFile(path: entry.path).verify()
  }

  /// What packed weights are made from: the layout of strips, the files, and the tensors in them.
  public static func identity(of source: WeightSource, withExperts: Bool) -> String {
    var tensors: [UInt8] = []
    for (name, tensor) in source.tensors {
      tensors += name.utf8
      tensors += "\n\(tensor.type.rawValue) \(tensor.shape) \(tensor.byteOffset)\n".utf8
    }
    let lines =
      ["strips \(Checksum64.of(StripPieces.sample))", withExperts ? "all weights" : "without experts"]
      + source.files.map(\.fingerprint) + ["tensors \(Checksum64.of(tensors))"]
    return lines.joined(separator: "\n")
  }

  /// `NAME-PATH-IDENTITY.strips`: the last part of the model's path, and checksums.
  private func path(of model: String, _ identity: String) -> (path: String, prefix: String) {
    let name = String((model as NSString).lastPathComponent.prefix(60)).map { character in
      character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character)) ? character : "_"
    }
    let variant = identity.split(separator: "\n").dropFirst().first ?? ""
    func hexadecimal(_ text: String) -> String { String(Checksum64.of(Array(text.utf8)), radix: 16) }
    let prefix = String(name) + "-" + hexadecimal(model + "\n" + variant) + "-"
    return (folder + "/" + prefix + hexadecimal(identity) + Self.suffix, prefix)
  }

  /// See `Decoder.cached`.
  func decoder(
    of source: WeightSource, identity: String, size: Int,
    build: (WeightPacking) throws(CheckpointError) -> Decoder
  ) throws(CheckpointError) -> Decoder? {
    guard limit != 0, size > 0 else { return nil }
    let model = URL(fileURLWithPath: source.path).standardizedFileURL.path
    let (path, prefix) = path(of: model, identity)
    func read(isNew: Bool) throws(CheckpointError) -> Decoder? {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      if let file = try? PackedFile(path: path), file.identity == identity, !isNew || (try? file.verify()) != nil {
        let reading = PackedReading(file), decoder = try build(.reading(reading))
        if !reading.hasFailed {
          PackedFile.setLastUse(of: path)
          file.populate()
          return decoder
        }
      }
      unlink(path)
      return nil
    }
    if let decoder = try read(isNew: false) { return decoder }

    let writer: PackedFileWriter
    do throws(CheckpointError) {
      guard let made = try self.writer(path) else {
        onEvent?(.notKept(reason: "another process has been packing \(path) for too long"))
        return nil
      }
      writer = made
    } catch {
      onEvent?(.notKept(reason: error.description))
      return nil
    }
    // Somebody else may have made it meanwhile.
    if let decoder = try read(isNew: false) { return decoder }
    // Of the same model as it was before.
    for file in files() where (file.path as NSString).lastPathComponent.hasPrefix(prefix) { unlink(file.path) }
    if let reason = makeRoom(for: size) {
      onEvent?(.notKept(reason: reason))
      return nil
    }
    _ = try build(.writing(writer) { onEvent?(.packing(completedBytes: min($0, size), totalBytes: size)) })
    do throws(CheckpointError) {
      try source.check()
      try writer.commit(model: model, identity: identity)
    } catch {
      try source.check()
      onEvent?(.notKept(reason: error.description))
      return nil
    }
    if let decoder = try read(isNew: true) { return decoder }
    onEvent?(.notKept(reason: "\(path) does not hold what was written to it"))
    return nil
  }

  /// A writer of a file, once nobody else writes it.
  /// - Returns: nil when that takes too long.
  private func writer(_ path: String) throws(CheckpointError) -> PackedFileWriter? {
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    PackedFileWriter.removeLeftovers(in: folder, ofFilesEndingIn: Self.suffix)
    let end = ContinuousClock.now.advanced(by: .seconds(600))
    var isFirst = true
    while ContinuousClock.now < end {
      if let writer = try PackedFileWriter(path: path) { return writer }
      if isFirst { onEvent?(.waiting) }
      isFirst = false
      usleep(100_000)
    }
    return nil
  }

  /// Removes the files used longest ago until there is room.
  /// - Returns: why there cannot be room; then nothing is removed.
  private func makeRoom(for size: Int) -> String? {
    guard let room else { return "\(folder) cannot be examined" }
    return makeRoom(for: size, in: room)
  }

  func makeRoom(for size: Int, in room: (limit: Int, free: Int)) -> String? {
    // The index, and what other file systems need.
    let size = size + size / 100 + (1 << 16)
    let files = files().sorted { $0.lastUse < $1.lastUse }
    // Of a model that is running, the file takes its room until that ends, with a name or without.
    let running = Set(files.map(\.path).filter { PackedFile.isInUse($0) })
    func freed(_ file: Entry) -> Int { running.contains(file.path) ? 0 : file.byteCount }
    var held = files.reduce(0) { $0 + $1.byteCount }, free = room.free
    let most = files.reduce(free) { $0 + freed($1) }
    guard size <= room.limit else { return "they take \(size) bytes, the limit of \(folder) is \(room.limit)" }
    guard size <= most else {
      let others = running.isEmpty ? "" : " beside what running models use"
      return "they take \(size) bytes, \(folder) has \(max(0, most)) to spare\(others)"
    }
    for file in files {
      guard held + size > room.limit || size > free && freed(file) > 0 else { continue }
      unlink(file.path)
      held -= file.byteCount
      free += freed(file)
    }
    return nil
  }
}

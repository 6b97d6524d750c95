import CSwiftletReasoner
import Crypto
import Foundation

/// The embedded reasoner: a small model that is part of the program, where it was built with one, and so needs no network.
///
/// Models are read from files: its bytes are written to `HF_HOME/swiftlet/reasoner-HASH/` when it is first used, or into the temporary
/// folder where that place cannot be had.
public enum EmbeddedModel {
  public static let alias = "reasoner"
  public static let byteCount = swiftlet_reasoner_byte_count()
  public static var isPresent: Bool { byteCount > 0 }

  static let file = "swiftlet-reasoner.gguf"
  /// `data` as it is in the program; nothing is copied.
  static let data = Data(
    bytesNoCopy: UnsafeMutableRawPointer(mutating: swiftlet_reasoner_bytes()), count: byteCount, deallocator: .none)
  static let folderPrefix = "reasoner-"
  /// Tells the versions of the model apart. The checksum takes some milliseconds, once a process and only where the model is used.
  static let folderName = folderPrefix + ChecksumDigest.hexadecimal(SHA256.hash(data: data).prefix(6))
  /// How to choose its tokens, as a generation_config.json beside the file.
  static let generationConfiguration = #"{"do_sample":false,"max_new_tokens":900}"# + "\n"
}

extension ModelHub {
  /// Folders of temporary files are shared: everybody has one of their own in there.
  private var temporaryRoot: String { "\(configuration.temporaryFolder)/swiftlet-\(geteuid())" }

  /// The folders that may hold a copy, the preferred one first.
  private var roots: [String] {
    [configuration.ownFolder] + (FileSystem.isPrivateFolder(temporaryRoot) ? [temporaryRoot] : [])
  }

  private func folder(in root: String) -> String { root + "/" + EmbeddedModel.folderName }

  private func copy(in root: String) -> LocalModel? {
    let folder = folder(in: root)
    let path = folder + "/" + EmbeddedModel.file
    // Reading what was written costs less than running it: a copy that somebody damaged is not one.
    guard FileSystem.entry(path)?.byteCount == EmbeddedModel.byteCount,
      FileSystem.text(folder + "/generation_config.json") == EmbeddedModel.generationConfiguration,
      FileManager.default.contents(atPath: path) == EmbeddedModel.data
    else { return nil }
    return LocalModel(ModelFiles(format: .gguf, paths: [EmbeddedModel.file]), in: folder, name: EmbeddedModel.alias)
  }

  /// The copy on the disk, if it is whole.
  func installedEmbeddedModel() -> LocalModel? {
    guard EmbeddedModel.isPresent else { return nil }
    for root in roots { if let local = copy(in: root) { return local } }
    return nil
  }

  /// Writes the copy where there is none, or one that is not whole.
  func installEmbeddedModel() async throws -> LocalModel {
    guard EmbeddedModel.isPresent else { throw HubError.notInstalled(EmbeddedModel.alias) }
    if let local = installedEmbeddedModel() { return local }
    do {
      return try await installEmbeddedModel(in: configuration.ownFolder)
    } catch let error as HubError {
      do {
        try FileSystem.makePrivateFolder(temporaryRoot)
        return try await installEmbeddedModel(in: temporaryRoot)
      } catch let second as HubError {
        throw HubError.noPlaceForEmbeddedModel(byteCount: EmbeddedModel.byteCount, reasons: [error, second].map(\.description))
      }
    }
  }

  private func installEmbeddedModel(in root: String) async throws -> LocalModel {
    let lock = try await FileLock.acquire(root + "/.locks/reasoner.lock", onWait: configuration.onWait)
    if let local = copy(in: root) { return local }
    let folder = folder(in: root)
    let path = folder + "/" + EmbeddedModel.file
    let partialPath = path + ".incomplete"
    try FileSystem.makeFolder(folder)
    do {
      try FileSystem.write(EmbeddedModel.generationConfiguration, to: folder + "/generation_config.json")
      // A process that was killed may have left a piece of it.
      try FileSystem.remove(partialPath)
      var partial = try PartialFile(path: partialPath)
      try EmbeddedModel.data.withUnsafeBytes { try partial.append($0) }
      try partial.synchronize()
      try FileSystem.move(partialPath, to: path)
    } catch {
      try? FileSystem.remove(folder)
      throw error
    }
    for other in copies(in: root) where other != folder { try? FileSystem.remove(other) }
    _ = consume lock
    guard let local = copy(in: root) else { throw HubError.notInstalled(EmbeddedModel.alias) }
    return local
  }

  /// The folders of this version and of others.
  private func copies(in root: String) -> [String] {
    FileSystem.names(in: root).filter { $0.hasPrefix(EmbeddedModel.folderPrefix) }.map { root + "/" + $0 }
  }

  /// Removes what is on the disk and says how many bytes that freed; 0 when there was nothing. The program keeps the model.
  func removeEmbeddedModel() throws(HubError) -> Int {
    var freed = 0
    for folder in roots.flatMap(copies) { freed += try removeAll(folder) }
    return freed
  }
}

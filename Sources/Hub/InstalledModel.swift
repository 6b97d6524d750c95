public import Foundation

/// A model of which files are on this machine.
public struct InstalledModel: Sendable, Equatable {
  /// What names it: `org/repo:Q4_K_M`, `org/repo`, or an alias; `org/repo:incomplete` for all interrupted downloads of a repository.
  public var reference: String
  /// Absolute paths.
  public var files: [String]
  /// Bytes on the disk.
  public var byteCount: Int
  /// When its last file came.
  public var modified: Date
  /// False for a download that was interrupted.
  public var isComplete: Bool

  /// Stands for the quantization of interrupted downloads: the cache knows only the checksums of what they would become.
  static let interrupted = "incomplete"
}

extension ModelHub {
  /// The models on this machine that can be run, and the downloads that were interrupted, by name.
  ///
  /// The cache is shared: what other tools fetched is listed when it is a model of a format known here.
  public func installedModels() -> [InstalledModel] {
    var models = cache.repositories().flatMap(installedModels(of:))
    for wheel in WheelModel.all {
      guard let local = installed(wheel), case .gguf(let files) = local.files else { continue }
      models.append(Self.describe(wheel.alias, files, isComplete: true))
    }
    return models.sorted { $0.reference < $1.reference }
  }

  private func installedModels(of repository: String) -> [InstalledModel] {
    var models: [InstalledModel] = []
    for commit in cache.snapshots(of: repository, revision: "main") {
      let folder = cache.snapshot(commit, of: repository)
      for model in ModelFiles.all(in: FileSystem.files(below: folder)) {
        let reference = repository + (model.quantization.map { ":" + $0 } ?? "")
        // The newest state of a model stands for the older ones.
        guard !models.contains(where: { $0.reference == reference }) else { continue }
        models.append(Self.describe(reference, model.paths.map { folder + "/" + $0 }, isComplete: model.missing.isEmpty))
      }
    }
    let partials = cache.partials(of: repository)
    if !partials.isEmpty {
      models.append(Self.describe("\(repository):\(InstalledModel.interrupted)", partials, isComplete: false))
    }
    return models
  }

  private static func describe(_ reference: String, _ files: [String], isComplete: Bool) -> InstalledModel {
    let entries = files.compactMap { FileSystem.entry($0) }
    return InstalledModel(
      reference: reference, files: files, byteCount: entries.reduce(0) { $0 + $1.byteCount },
      modified: entries.map(\.modified).max() ?? .distantPast, isComplete: isComplete)
  }
}

import Foundation

/// Finds models, fetches them and keeps them: in the hub's cache, shared with other tools.
public struct ModelHub: Sendable {
  public var configuration: HubConfiguration

  public init(configuration: HubConfiguration = .current) {
    self.configuration = configuration
  }

  var cache: HubCache { HubCache(root: configuration.cache) }

  /// The model's files to run it, from this machine when they are all here, else from the hub.
  /// - Throws: `HubError`, `.cannotRun` before a model is fetched that is of no use yet; `CancellationError` when the task is cancelled, which keeps what came.
  public func model(_ reference: ModelReference, progress: ProgressHandler? = nil) async throws -> LocalModel {
    do {
      return try installedModel(reference)
    } catch HubError.notInstalled {
      return try await fetch(reference, toRun: true, progress)
    }
  }

  /// The model's files on this machine, without asking the hub.
  /// - Throws: `HubError.notInstalled` when they are not all here, another `HubError` when what is here is no model.
  public func installedModel(_ reference: ModelReference) throws(HubError) -> LocalModel {
    switch reference {
    case .path(let path): return try LocalModel(path: path)
    case .wheel(let model):
      guard let local = installed(model) else { throw .notInstalled(model.alias) }
      return local
    case .embedded:
      guard let local = installedEmbeddedModel() else { throw .notInstalled(EmbeddedModel.alias) }
      return local
    case .repository(let repository):
      for commit in cache.snapshots(of: repository.repository, revision: repository.revision) {
        let folder = cache.snapshot(commit, of: repository.repository)
        let paths = FileSystem.files(below: folder)
        guard let model = try? ModelFiles.select(from: paths, quantization: repository.quantization, place: folder) else {
          continue
        }
        return LocalModel(model, in: folder, name: repository.description)
      }
      throw .notInstalled(repository.description)
    }
  }

  /// Fetches the model, or what is new of it since it was fetched; a path is only looked up, the embedded model written to the disk.
  ///
  /// The branch's name in the cache is set last, so that offline use keeps finding the old files until all new ones are here.
  /// - Throws: `HubError`; `CancellationError` when the task is cancelled. Either way what came is kept.
  @discardableResult
  public func pull(_ reference: ModelReference, progress: ProgressHandler? = nil) async throws -> LocalModel {
    try await fetch(reference, toRun: false, progress)
  }

  private func fetch(_ reference: ModelReference, toRun: Bool, _ progress: ProgressHandler?) async throws -> LocalModel {
    switch reference {
    case .path: return try installedModel(reference)
    case .wheel(let model): return try await install(model, progress: progress)
    case .embedded: return try await installEmbeddedModel()
    case .repository(let repository):
      if configuration.isOffline {
        guard let model = try? installedModel(reference) else { throw HubError.offline(reference.description) }
        return model
      }
      return try await HubTransport.with(configuration) { try await fetch(repository, toRun: toRun, $0, progress) }
    }
  }

  private func fetch(
    _ reference: RepositoryReference, toRun: Bool, _ transport: HubTransport, _ progress: ProgressHandler?
  ) async throws -> LocalModel {
    let listing = try await transport.listing(of: reference)
    let paths = listing.files.map(\.path)
    let model = try ModelFiles.select(from: paths, quantization: reference.quantization, place: reference.repository)
    if toRun, let obstacle = model.obstacle {
      let available = ModelFiles.ggufVariants(in: paths).filter { $0.obstacle == nil }.compactMap(\.quantization)
      throw HubError.cannotRun(reference.description, reason: obstacle, available: available)
    }
    let files = model.paths.compactMap { path in listing.files.first { $0.path == path } }
    try cache.prepare()
    var download = HubDownload(
      transport, cache: cache, reference: reference, commit: listing.commit, files: files, progress: progress)
    try await download.fetch(files)
    try cache.setReference(reference.revision, to: listing.commit, of: reference.repository)
    return LocalModel(
      model, in: cache.snapshot(listing.commit, of: reference.repository), name: reference.description)
  }
}

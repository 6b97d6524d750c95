import Foundation

extension ModelHub {
  /// Removes a model from the cache and says how many bytes that freed.
  ///
  /// `org/repo` removes all of the repository; with a quantization or a revision only its files, and the content no other file
  /// shares; `org/repo:incomplete` the interrupted downloads. Of the embedded model the copies go, if there are any. A path is never
  /// removed: its files are not the cache's.
  /// - Throws: `HubError.notInstalled`; `.busy` while another process fetches it.
  @discardableResult
  public func remove(_ reference: ModelReference) throws(HubError) -> Int {
    switch reference {
    case .path(let path):
      throw .notInCache(path)
    case .wheel(let model):
      let paths = [folder(of: model), partialWheel(of: model)].filter { FileSystem.entry($0) != nil }
      guard !paths.isEmpty else { throw .notInstalled(model.alias) }
      var byteCount = 0
      for path in paths { byteCount += try removeAll(path) }
      return byteCount
    case .embedded:
      return try removeEmbeddedModel()
    case .repository(let repository):
      return try remove(repository)
    }
  }

  func removeAll(_ path: String) throws(HubError) -> Int {
    let byteCount = FileSystem.byteCount(below: path)
    try FileSystem.remove(path)
    return byteCount
  }

  private func remove(_ reference: RepositoryReference) throws(HubError) -> Int {
    let repository = reference.repository
    let folder = cache.folder(of: repository)
    guard FileSystem.entry(folder) != nil else { throw .notInstalled(reference.description) }
    try checkIdle(repository)
    var freed = 0
    if reference.quantization == InstalledModel.interrupted {
      let partials = cache.partials(of: repository)
      if partials.isEmpty { throw .notInstalled(reference.description) }
      for path in partials { freed += try removeAll(path) }
    } else if reference.quantization != nil || reference.revision != "main" {
      try removeLinks(reference)
      freed = try removeUnreferencedBlobs(of: repository)
    } else {
      return try removeAll(folder)
    }
    // The last of a repository takes what is around it along.
    let isEmpty = cache.snapshotFiles(of: repository).isEmpty && cache.partials(of: repository).isEmpty
    return try freed + (isEmpty ? removeAll(folder) : 0)
  }

  /// Nobody may be writing what is about to go.
  private func checkIdle(_ repository: String) throws(HubError) {
    for path in cache.partials(of: repository) {
      let checksum = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
      if try FileLock(tryingPath: cache.lock(checksum, of: repository)) == nil { throw .busy(repository) }
    }
  }

  private func removeLinks(_ reference: RepositoryReference) throws(HubError) {
    var isFound = false
    for commit in cache.snapshots(of: reference.repository, revision: reference.revision) {
      let snapshot = cache.snapshot(commit, of: reference.repository)
      guard let quantization = reference.quantization else {
        isFound = true
        if try cache.forget(reference.revision, commit, of: reference.repository) { try FileSystem.remove(snapshot) }
        continue
      }
      let paths = FileSystem.files(below: snapshot)
      for model in ModelFiles.all(in: paths) where model.matches(quantization) {
        isFound = true
        for path in model.paths { try FileSystem.remove(snapshot + "/" + path) }
      }
    }
    guard isFound else { throw .notInstalled(reference.description) }
  }

  /// Removes the content that no snapshot points to any more. What was interrupted stays: whose it is cannot be told.
  private func removeUnreferencedBlobs(of repository: String) throws(HubError) -> Int {
    let referenced = Set(
      cache.snapshotFiles(of: repository).compactMap { path in
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { ($0 as NSString).lastPathComponent }
      })
    var freed = 0
    let blobs = cache.blobs(of: repository)
    for name in FileSystem.names(in: blobs) where !referenced.contains(name) && !name.hasSuffix(".incomplete") {
      freed += try removeAll(blobs + "/" + name)
    }
    return freed
  }
}

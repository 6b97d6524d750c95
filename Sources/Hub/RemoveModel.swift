import Foundation

extension ModelHub {
  /// Removes a model from the cache and says how many bytes that freed.
  ///
  /// `org/repo` removes all of the repository; with a quantization only its files, and the content no other file shares. A path is
  /// never removed: its files are not the cache's.
  /// - Throws: `HubError.notInstalled`; `.busy` while another process fetches it.
  @discardableResult
  public func remove(_ reference: ModelReference) throws(HubError) -> Int {
    switch reference {
    case .path(let path):
      throw .invalidReference(path, reason: "a path is not in the cache; remove the file itself", suggestions: [])
    case .wheel(let model):
      guard FileSystem.entry(folder(of: model)) != nil else { throw .notInstalled(model.alias) }
      return try removeFolder(folder(of: model))
    case .repository(let repository):
      return try remove(repository)
    }
  }

  private func removeFolder(_ path: String) throws(HubError) -> Int {
    let byteCount = FileSystem.byteCount(below: path)
    try FileSystem.remove(path)
    return byteCount
  }

  private func remove(_ reference: RepositoryReference) throws(HubError) -> Int {
    let repository = reference.repository
    let folder = cache.folder(of: repository)
    guard FileSystem.entry(folder) != nil else { throw .notInstalled(reference.description) }
    try checkIdle(repository)
    if let quantization = reference.quantization {
      try removeLinks(of: quantization, reference)
      if !FileSystem.files(below: folder + "/snapshots").isEmpty { return try removeUnreferencedBlobs(of: repository) }
    }
    return try removeFolder(folder)
  }

  /// Nobody may be writing what is about to go.
  private func checkIdle(_ repository: String) throws(HubError) {
    for name in FileSystem.names(in: cache.blobs(of: repository)) where name.hasSuffix(".incomplete") {
      let checksum = String(name.dropLast(".incomplete".count))
      if try FileLock(tryingPath: cache.lock(checksum, of: repository)) == nil { throw .busy(repository) }
    }
  }

  private func removeLinks(of quantization: String, _ reference: RepositoryReference) throws(HubError) {
    var isFound = false
    for commit in cache.snapshots(of: reference.repository, revision: reference.revision) {
      let snapshot = cache.snapshot(commit, of: reference.repository)
      let paths = FileSystem.files(below: snapshot)
      for model in ModelFiles.all(in: paths) where model.matches(quantization) {
        isFound = true
        for path in model.paths { try FileSystem.remove(snapshot + "/" + path) }
      }
    }
    guard isFound else { throw .notInstalled(reference.description) }
  }

  /// Removes the content that no snapshot points to any more, and what was interrupted.
  private func removeUnreferencedBlobs(of repository: String) throws(HubError) -> Int {
    let snapshots = cache.folder(of: repository) + "/snapshots"
    let referenced = Set(
      FileSystem.files(below: snapshots).compactMap { path in
        (try? FileManager.default.destinationOfSymbolicLink(atPath: snapshots + "/" + path)).map {
          ($0 as NSString).lastPathComponent
        }
      })
    var freed = 0
    let blobs = cache.blobs(of: repository)
    for name in FileSystem.names(in: blobs) where !referenced.contains(name) {
      freed += try removeFolder(blobs + "/" + name)
    }
    return freed
  }
}

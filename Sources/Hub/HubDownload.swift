import Foundation

/// Fetches the files of one commit into the cache.
struct HubDownload {
  let transport: HubTransport
  let cache: HubCache
  let repository: String
  let revision: String
  let commit: String
  private var meter: ProgressMeter

  init(
    _ transport: HubTransport, cache: HubCache, reference: RepositoryReference, commit: String, files: [RepositoryFile],
    progress: ProgressHandler?
  ) {
    self.transport = transport
    self.cache = cache
    repository = reference.repository
    revision = reference.revision
    self.commit = commit
    meter = ProgressMeter(totalBytes: files.reduce(0) { $0 + $1.byteCount }, fileCount: files.count, handler: progress)
  }

  /// Fetches what is not here yet, file after file. What came before a failure is kept and the next call goes on from there.
  mutating func fetch(_ files: [RepositoryFile]) async throws {
    let blobs = cache.blobs(of: repository)
    try FileSystem.makeFolder(blobs)
    try checkFreeSpace(for: files, in: blobs)
    for file in files {
      meter.begin(file: file.path)
      try await fetch(file)
      meter.end(byteCount: file.byteCount)
    }
  }

  private func checkFreeSpace(for files: [RepositoryFile], in blobs: String) throws(HubError) {
    let needed = files.reduce(0) { sum, file in
      if hasBlob(file) || hasSnapshotFile(file) { return sum }
      return sum + file.byteCount - min(FileSystem.entry(partialPath(file))?.byteCount ?? 0, file.byteCount)
    }
    guard let available = transport.configuration.freeSpace(blobs), needed > available else { return }
    throw .diskFull(folder: blobs, needed: needed, available: available)
  }

  private func blobPath(_ file: RepositoryFile) -> String { cache.blobs(of: repository) + "/" + file.checksum.hexadecimal }
  private func partialPath(_ file: RepositoryFile) -> String { blobPath(file) + ".incomplete" }

  private func hasBlob(_ file: RepositoryFile) -> Bool { FileSystem.entry(blobPath(file))?.byteCount == file.byteCount }

  private func hasSnapshotFile(_ file: RepositoryFile) -> Bool {
    FileSystem.entry(cache.snapshot(commit, of: repository) + "/" + file.path)?.byteCount == file.byteCount
  }

  private mutating func fetch(_ file: RepositoryFile) async throws {
    // Tools that know no links keep the file itself in the snapshot.
    if hasSnapshotFile(file) { return }
    if !hasBlob(file) {
      let partialPath = partialPath(file)
      var meter = meter
      let path = cache.lock(file.checksum.hexadecimal, of: repository)
      let lock = try await FileLock.acquire(path, onWait: transport.configuration.onWait) {
        meter.found(min(FileSystem.entry(partialPath)?.byteCount ?? 0, file.byteCount))
      }
      self.meter = meter
      if !hasBlob(file) { try await transfer(file) }
      _ = consume lock
    }
    try cache.link(file, commit: commit, of: repository)
  }

  /// Brings the file's content into its blob.
  private mutating func transfer(_ file: RepositoryFile) async throws {
    let configuration = transport.configuration
    let url = "\(configuration.endpoint)/\(repository)/resolve/\(commit)/\(HubTransport.encoded(file.path, keepingSlashes: true))"
    let transfer = FileTransfer(
      transport: transport, url: url, name: file.path, byteCount: file.byteCount, checksum: file.checksum,
      partialPath: partialPath(file))
    try await transfer.run(&meter) { [self] response in
      try response.check(
        repository: repository, revision: revision, file: file.path, hasToken: configuration.token != nil)
      try checkDescription(response, file, url)
    }
    try FileSystem.move(partialPath(file), to: blobPath(file))
  }

  /// What the hub says of the file must be what its listing said: content of another commit is noticed before it comes.
  private func checkDescription(_ response: HubTransport.Response, _ file: RepositoryFile, _ url: String) throws(HubError) {
    if let found = response.hubHeaders.first(name: "X-Repo-Commit"), found != commit {
      throw .malformedResponse(url: url, reason: "the commit \(found.prefix(64)), expected \(commit)")
    }
    if let size = response.hubHeaders.first(name: "X-Linked-Size").flatMap({ Int($0) }), size != file.byteCount {
      throw .wrongSize(file: file.path, expected: file.byteCount, found: size)
    }
    if let etag = response.hubHeaders.first(name: "X-Linked-Etag"),
      let found = Checksum(etag.trimmingPrefix("W/").filter { $0 != "\"" }), found != file.checksum
    {
      throw .wrongChecksum(file: file.path, expected: file.checksum.hexadecimal, found: found.hexadecimal)
    }
  }
}

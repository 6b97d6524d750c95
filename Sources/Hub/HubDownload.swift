import Foundation
import NIOCore
import NIOHTTP1

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
      let lock = try await FileLock.acquire(cache.lock(file.checksum.hexadecimal, of: repository)) {
        meter.found(min(FileSystem.entry(partialPath)?.byteCount ?? 0, file.byteCount))
      }
      self.meter = meter
      if !hasBlob(file) { try await transfer(file) }
      _ = consume lock
    }
    try cache.link(file, commit: commit, of: repository)
  }

  /// Brings the file's content into its blob: goes on with what an earlier attempt left, checks size and checksum, then renames.
  private mutating func transfer(_ file: RepositoryFile) async throws {
    var partial = try PartialFile(path: partialPath(file))
    if partial.byteCount > file.byteCount { try partial.restart() }
    meter.found(partial.byteCount)
    var digest = ChecksumDigest(of: file.checksum, byteCount: file.byteCount)
    try await partial.read { bytes in
      try Task.checkCancellation()
      digest.update(bytes)
    }
    var retries = Retries(transport.configuration.retries)
    while partial.byteCount < file.byteCount {
      let before = partial.byteCount
      do {
        try await receive(file, &partial, &digest)
      } catch let failure as PassingFailure {
        if partial.byteCount > before { retries.reset() }
        try await retries.pause(after: failure)
      } catch let error as HubError {
        if case .diskFull(let folder, _, _) = error {
          throw HubError.diskFull(
            folder: folder, needed: file.byteCount - partial.byteCount, available: transport.configuration.freeSpace(folder))
        }
        throw error
      }
    }
    let found = digest.finalize()
    guard found == file.checksum.hexadecimal else {
      try FileSystem.remove(partialPath(file))
      throw HubError.wrongChecksum(file: file.path, expected: file.checksum.hexadecimal, found: found)
    }
    try partial.synchronize()
    try FileSystem.move(partialPath(file), to: blobPath(file))
  }

  /// One request for the rest of the file; returns when its body has ended.
  private mutating func receive(_ file: RepositoryFile, _ partial: inout PartialFile, _ digest: inout ChecksumDigest) async throws
  {
    let configuration = transport.configuration
    let url = "\(configuration.endpoint)/\(repository)/resolve/\(commit)/\(HubTransport.encoded(file.path, keepingSlashes: true))"
    var headers = HTTPHeaders()
    if partial.byteCount > 0 { headers.add(name: "Range", value: "bytes=\(partial.byteCount)-") }
    let response = try await transport.get(url, headers: headers)

    func restart() throws(HubError) {
      try partial.restart()
      digest = ChecksumDigest(of: file.checksum, byteCount: file.byteCount)
      meter.found(0)
    }
    if response.status == 416 {
      // The server's file ends before ours does: ours cannot be right.
      try restart()
      throw PassingFailure(kind: .server(status: 416, url: url))
    }
    try response.check(
      repository: repository, revision: revision, file: file.path, hasToken: configuration.token != nil)
    try checkDescription(response, file, url)
    if response.status == 206 {
      guard try Self.rangeStart(response.headers, file, url) == partial.byteCount else {
        throw HubError.malformedResponse(url: url, reason: "another range than was asked for")
      }
    } else {
      // The server does not do ranges and sends all of it again.
      try restart()
      if let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }), length != file.byteCount {
        throw HubError.wrongSize(file: file.path, expected: file.byteCount, found: length)
      }
    }
    try await receive(response, file, &partial, &digest)
  }

  private mutating func receive(
    _ response: HubTransport.Response, _ file: RepositoryFile, _ partial: inout PartialFile, _ digest: inout ChecksumDigest
  ) async throws {
    let host = Origin(response.url)?.host ?? response.url
    var body = response.body.makeAsyncIterator()
    while true {
      let buffer: ByteBuffer?
      do {
        buffer = try await body.next()
      } catch {
        try Task.checkCancellation()
        throw PassingFailure.cut(host: host, error)
      }
      try Task.checkCancellation()
      guard let buffer else { break }
      guard buffer.readableBytes <= file.byteCount - partial.byteCount else {
        try FileSystem.remove(partialPath(file))
        throw HubError.wrongSize(file: file.path, expected: file.byteCount, found: partial.byteCount + buffer.readableBytes)
      }
      try buffer.withUnsafeReadableBytes { bytes in
        try partial.append(bytes)
        digest.update(bytes)
      }
      meter.received(buffer.readableBytes)
    }
    guard partial.byteCount == file.byteCount else {
      throw PassingFailure(
        kind: .cut(host: host, reason: "the answer ended after \(partial.byteCount) of \(file.byteCount) bytes"))
    }
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

  /// The first byte of `Content-Range: bytes 100-199/200`, whose total must be the file's size.
  private static func rangeStart(_ headers: HTTPHeaders, _ file: RepositoryFile, _ url: String) throws(HubError) -> Int {
    let text = headers.first(name: "Content-Range") ?? ""
    let fields = text.split { $0 == " " || $0 == "-" || $0 == "/" }
    guard fields.count == 4, fields[0] == "bytes", let start = Int(fields[1]) else {
      throw .malformedResponse(
        url: url, reason: "a part of the file without a Content-Range that can be read: '\(text.prefix(100))'")
    }
    if let total = Int(fields[3]), total != file.byteCount {
      throw .wrongSize(file: file.path, expected: file.byteCount, found: total)
    }
    return start
  }
}

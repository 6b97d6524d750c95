import Foundation
import NIOCore
import NIOHTTP1

/// One file on its way from a server to the disk.
struct FileTransfer {
  let transport: HubTransport
  let url: String
  /// What errors call it.
  let name: String
  let byteCount: Int
  let checksum: Checksum
  /// Where the content comes together. What an earlier attempt left there is gone on with.
  let partialPath: String

  /// Fetches what is missing, until the partial file is whole and its checksum is right. What came before a failure is kept.
  /// - Parameter check: throws when an answer is not the file: `PassingFailure` for what may go away by itself.
  func run(_ meter: inout ProgressMeter, check: (HubTransport.Response) throws -> Void) async throws {
    var partial = try PartialFile(path: partialPath)
    if partial.byteCount > byteCount { try partial.restart() }
    meter.found(partial.byteCount)
    var digest = ChecksumDigest(of: checksum, byteCount: byteCount)
    try await partial.read { bytes in
      try Task.checkCancellation()
      digest.update(bytes)
    }
    var retries = Retries(transport.configuration)
    while partial.byteCount < byteCount {
      let before = partial.byteCount
      do {
        try await receive(&partial, &digest, &meter, check)
      } catch let failure as PassingFailure {
        if partial.byteCount > before { retries.reset() }
        try await retries.pause(after: failure)
      } catch let error as HubError {
        if case .diskFull(let folder, _, _) = error {
          throw HubError.diskFull(
            folder: folder, needed: byteCount - partial.byteCount, available: transport.configuration.freeSpace(folder))
        }
        throw error
      }
    }
    let found = digest.finalize()
    guard found == checksum.hexadecimal else {
      try FileSystem.remove(partialPath)
      throw HubError.wrongChecksum(file: name, expected: checksum.hexadecimal, found: found)
    }
    try partial.synchronize()
  }

  /// One request for the rest of the file; returns when its body has ended.
  private func receive(
    _ partial: inout PartialFile, _ digest: inout ChecksumDigest, _ meter: inout ProgressMeter,
    _ check: (HubTransport.Response) throws -> Void
  ) async throws {
    var headers = HTTPHeaders()
    if partial.byteCount > 0 { headers.add(name: "Range", value: "bytes=\(partial.byteCount)-") }
    let response = try await transport.get(url, headers: headers)
    func restart() throws(HubError) {
      try partial.restart()
      digest = ChecksumDigest(of: checksum, byteCount: byteCount)
      meter.found(0)
    }
    if response.status == 416 {
      // The server's file ends before ours does: ours cannot be right.
      try restart()
      throw PassingFailure(kind: .server(status: 416, url: url))
    }
    try check(response)
    if response.status == 206 {
      guard try rangeStart(response.headers) == partial.byteCount else {
        throw HubError.malformedResponse(url: url, reason: "another range than was asked for")
      }
    } else {
      // The server does not do ranges and sends all of it again.
      try restart()
      if let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }), length != byteCount {
        throw HubError.wrongSize(file: name, expected: byteCount, found: length)
      }
    }
    try await receive(response, &partial, &digest, &meter)
  }

  private func receive(
    _ response: HubTransport.Response, _ partial: inout PartialFile, _ digest: inout ChecksumDigest, _ meter: inout ProgressMeter
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
      guard buffer.readableBytes <= byteCount - partial.byteCount else {
        try FileSystem.remove(partialPath)
        throw HubError.wrongSize(file: name, expected: byteCount, found: partial.byteCount + buffer.readableBytes)
      }
      try buffer.withUnsafeReadableBytes { bytes in
        try partial.append(bytes)
        digest.update(bytes)
      }
      meter.received(buffer.readableBytes)
    }
    guard partial.byteCount == byteCount else {
      throw PassingFailure(kind: .cut(host: host, reason: "the answer ended after \(partial.byteCount) of \(byteCount) bytes"))
    }
  }

  /// The first byte of `Content-Range: bytes 100-199/200`, whose total must be the file's size.
  private func rangeStart(_ headers: HTTPHeaders) throws(HubError) -> Int {
    let text = headers.first(name: "Content-Range") ?? ""
    let fields = text.split { $0 == " " || $0 == "-" || $0 == "/" }
    guard fields.count == 4, fields[0] == "bytes", let start = Int(fields[1]) else {
      throw .malformedResponse(
        url: url, reason: "a part of the file without a Content-Range that can be read: '\(text.prefix(100))'")
    }
    if let total = Int(fields[3]), total != byteCount {
      throw .wrongSize(file: name, expected: byteCount, found: total)
    }
    return start
  }
}

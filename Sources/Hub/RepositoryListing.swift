import Foundation
import NIOCore
import NIOHTTP1
import SwiftletJSON

/// A file of a repository, as the hub's listing describes it.
struct RepositoryFile: Sendable, Equatable {
  /// Relative, checked to stay inside its folder.
  var path: String
  var byteCount: Int
  var checksum: Checksum
}

/// A repository at one commit.
struct RepositoryListing: Sendable {
  var commit: String
  var files: [RepositoryFile]
}

extension HubTransport {
  private static let largestPage = 32 << 20
  private static let mostPages = 200
  /// Bytes. The sizes of as many files as a split may have parts can be added.
  private static let largestFile = 1 << 48

  /// Asks which commit a revision is and what is in it: `/api/models/REPO/revision/REVISION`, then
  /// `/api/models/REPO/tree/COMMIT?recursive=true`, page by page.
  func listing(of reference: RepositoryReference) async throws -> RepositoryListing {
    let models = configuration.endpoint + "/api/models/" + reference.repository
    let address = models + "/revision/" + Self.encoded(reference.revision, keepingSlashes: false)
    let (description, _) = try await json(address, reference)
    guard let commit = description["sha"]?.string, case .gitBlob? = Checksum(commit) else {
      throw HubError.malformedResponse(url: address, reason: "expected 40 hexadecimal digits in 'sha'")
    }
    var files: [RepositoryFile] = []
    var next: String? = models + "/tree/" + commit + "?recursive=true"
    for _ in 0..<Self.mostPages {
      guard let page = next else { return RepositoryListing(commit: commit, files: files) }
      let (entries, headers) = try await json(page, reference)
      guard let entries = entries.elements else {
        throw HubError.malformedResponse(url: page, reason: "expected a list of files")
      }
      for entry in entries where entry["type"]?.string == "file" {
        files.append(try Self.file(entry, repository: reference.repository, page: page))
      }
      next = try Self.nextPage(headers, after: page)
    }
    throw HubError.malformedResponse(url: models, reason: "a listing of more than \(Self.mostPages) pages")
  }

  private func json(_ url: String, _ reference: RepositoryReference) async throws -> (JSONValue, HTTPHeaders) {
    try await Retries.run(configuration) {
      let response = try await get(url)
      try response.check(
        repository: reference.repository, revision: reference.revision, hasToken: configuration.token != nil)
      let body: ByteBuffer
      do {
        body = try await response.body.collect(upTo: Self.largestPage)
      } catch is NIOTooManyBytesError {
        throw HubError.malformedResponse(url: url, reason: "more than \(ByteCount.text(Self.largestPage)) of JSON")
      } catch {
        try Task.checkCancellation()
        throw PassingFailure.cut(host: Origin(response.url)?.host ?? url, error)
      }
      do {
        return (try JSONValue(parsing: Array(body.readableBytesView)), response.headers)
      } catch {
        throw HubError.malformedResponse(url: url, reason: "expected JSON: \(error)")
      }
    }
  }

  private static func file(_ entry: JSONValue, repository: String, page: String) throws(HubError) -> RepositoryFile {
    guard let path = entry["path"]?.string else { throw .malformedResponse(url: page, reason: "a file without 'path'") }
    guard isSafe(path) else { throw .unsafeFileName(String(path.prefix(200)), repository: repository) }
    let stored = entry["lfs"].flatMap { $0.isNull ? nil : $0 }
    guard let digits = (stored ?? entry)["oid"]?.string, let checksum = Checksum(digits) else {
      throw .malformedResponse(url: page, reason: "'\(path)' has no checksum in 'oid'")
    }
    guard let byteCount = (stored ?? entry)["size"]?.integer, (0...largestFile).contains(byteCount) else {
      throw .malformedResponse(url: page, reason: "'\(path)' has no size, or one that no file has")
    }
    return RepositoryFile(path: path, byteCount: byteCount, checksum: checksum)
  }

  /// Whether a name from outside stays below the folder it is joined to.
  static func isSafe(_ path: String) -> Bool {
    path.utf8.count <= 1024 && !path.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "\\") || $0 == 0x7F }
      && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !["", ".", ".."].contains($0) }
  }

  /// The address that `Link: <…>; rel="next"` names, which must be the hub's.
  private static func nextPage(_ headers: HTTPHeaders, after page: String) throws(HubError) -> String? {
    for link in headers[canonicalForm: "Link"] where link.hasSuffix("rel=\"next\"") {
      guard let open = link.firstIndex(of: "<"), let close = link.firstIndex(of: ">"), open < close,
        let url = URL(string: String(link[link.index(after: open)..<close]), relativeTo: URL(string: page))?.absoluteString,
        Origin(url) == Origin(page)
      else { throw .malformedResponse(url: page, reason: "the next page '\(link.prefix(200))'") }
      return url
    }
    return nil
  }

  /// Percent-encoded for the path of an address.
  static func encoded(_ text: String, keepingSlashes: Bool) -> String {
    var allowed = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    if keepingSlashes { allowed.insert("/") }
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }
}

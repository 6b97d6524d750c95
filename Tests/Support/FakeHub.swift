import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server on the loopback address that speaks the hub's endpoints, with faults on demand.
final class FakeHub: Sendable {
  struct File {
    var path: String
    var content: [UInt8]
    /// In large file storage: SHA-256, served through a redirect to the storage.
    var isLarge = true
  }

  struct Repository {
    var commit = String(repeating: "c0ffee12", count: 5)
    var files: [File]
    var token: String?
    var isGated = false
    /// Entries of a listing's page.
    var pageSize = 1000
  }

  /// What goes wrong with the next request whose path contains a text.
  enum Fault {
    case status(Int, headers: [(String, String)] = [])
    /// Closes the connection after so many bytes of the body.
    case cut(after: Int)
    /// Ends the body properly after so many bytes, as a broken proxy does.
    case short(Int)
    case content([UInt8])
    /// With a body of spaces, of which one comes in ten milliseconds.
    case redirect(String, slowBody: Int = 0)
    case slow(bytesPerTenMilliseconds: Int)
    case body(String)
  }

  struct Request: Sendable {
    var path: String
    var headers: HTTPHeaders

    /// The first byte that `Range: bytes=100-` asks for.
    var rangeStart: Int? {
      headers.first(name: "Range").flatMap { $0.hasPrefix("bytes=") ? Int($0.dropFirst(6).prefix { $0 != "-" }) : nil }
    }
  }

  private struct State {
    var repositories: [String: Repository] = [:]
    var faults: [(path: String, fault: Fault, count: Int)] = []
    var requests: [Request] = []
    var ignoresRanges = false
    var storage: String?
  }
  private let state = Mutex(State())
  private let channel: any Channel
  let endpoint: String

  init() throws {
    // The handler needs the server and the server its channel, so the handler finds it by this box.
    let box = Box()
    channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
          try channel.pipeline.syncOperations.addHandler(Handler(box))
        }
      }
      .bind(host: "127.0.0.1", port: 0).wait()
    endpoint = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    box.server.withLock { $0.server = self }
  }

  deinit { channel.close(promise: nil) }

  /// Listens no longer when it returns; without it, a little while after the last use.
  func stop() async throws { try await channel.close().get() }

  final class Box: Sendable {
    // Weak, so that the open connections do not keep the server.
    struct Reference { weak var server: FakeHub? }
    let server = Mutex(Reference())
  }

  // MARK: Set up and look

  subscript(name: String) -> Repository? {
    get { state.withLock { $0.repositories[name] } }
    set { state.withLock { $0.repositories[name] = newValue } }
  }

  /// The next `count` requests whose address contains `path` fail so.
  func fail(_ path: String, _ fault: Fault, count: Int = 1) {
    state.withLock { $0.faults.append((path, fault, count)) }
  }

  func ignoreRanges() { state.withLock { $0.ignoresRanges = true } }

  /// Large files are served by this server, not by this one.
  func redirect(to storage: FakeHub) { state.withLock { $0.storage = storage.endpoint } }

  func requests(_ path: String) -> [Request] { state.withLock { $0.requests.filter { $0.path.contains(path) } } }

  static func sha256(_ content: [UInt8]) -> String { hexadecimal(SHA256.hash(data: content)) }

  static func gitBlob(_ content: [UInt8]) -> String {
    hexadecimal(Insecure.SHA1.hash(data: Array("blob \(content.count)\0".utf8) + content))
  }

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
  }

  // MARK: Answers

  struct Answer {
    var status = 200
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var cut: Int?
    var short: Int?
    var pace: Int?

    init(_ status: Int, headers: [(String, String)] = [], body: [UInt8] = []) {
      self.status = status
      self.headers = headers
      self.body = body
    }
  }

  func answer(_ head: HTTPRequestHead) -> Answer {
    let request = Request(path: head.uri, headers: head.headers)
    let (fault, repositories, ignoresRanges, storage) = state.withLock { state in
      state.requests.append(request)
      var fault: Fault?
      if let index = state.faults.firstIndex(where: { head.uri.contains($0.path) && $0.count > 0 }) {
        state.faults[index].count -= 1
        fault = state.faults[index].fault
      }
      return (fault, state.repositories, state.ignoresRanges, state.storage)
    }
    switch fault {
    case .status(let status, let headers): return Answer(status, headers: headers, body: Array("{\"error\":\"fault\"}".utf8))
    case .redirect(let target, let slowBody):
      var answer = Answer(302, headers: [("Location", target)], body: [UInt8](repeating: 0x20, count: slowBody))
      answer.pace = slowBody > 0 ? 1 : nil
      return answer
    case .body(let text): return Answer(200, body: Array(text.utf8))
    default: break
    }
    var answer = plainAnswer(head, repositories, storage: storage)
    if case .content(let content)? = fault { answer.body = content }
    if !ignoresRanges, answer.status == 200, let start = request.rangeStart {
      let total = answer.body.count
      if start >= total { return Answer(416, headers: [("Content-Range", "bytes */\(total)")]) }
      answer.status = 206
      answer.headers.append(("Content-Range", "bytes \(start)-\(total - 1)/\(total)"))
      answer.body = Array(answer.body[start...])
    }
    switch fault {
    case .cut(let count): answer.cut = count
    case .short(let count): answer.short = count
    case .slow(let count): answer.pace = count
    default: break
    }
    return answer
  }

  private func plainAnswer(_ head: HTTPRequestHead, _ repositories: [String: Repository], storage: String?) -> Answer {
    let parts = head.uri.split(separator: "?", maxSplits: 1)
    let path = parts[0].split(separator: "/").map { String($0).removingPercentEncoding ?? String($0) }
    if path.count == 2, path[0] == "storage" {
      let files = repositories.values.flatMap(\.files)
      guard let file = files.first(where: { Self.sha256($0.content) == path[1] }) else { return Answer(404) }
      return Answer(200, headers: [("ETag", "\"storage\"")], body: file.content)
    }
    let isAPI = path.first == "api" && path.count > 4 && path[1] == "models"
    let rest = isAPI ? Array(path[2...]) : path
    guard rest.count > 3, let repository = repositories["\(rest[0])/\(rest[1])"] else {
      return Answer(404, headers: [("X-Error-Code", "RepoNotFound")], body: Array("{\"error\":\"Repository not found\"}".utf8))
    }
    let token = head.headers.first(name: "Authorization")
    if let expected = repository.token, token != "Bearer " + expected {
      guard repository.isGated else { return Answer(401) }
      // Of a gated repository everybody may read the description.
      if rest[2] != "revision" { return Answer(token == nil ? 401 : 403, headers: [("X-Error-Code", "GatedRepo")]) }
    }
    guard ["main", repository.commit].contains(rest[3]) else {
      return Answer(404, headers: [("X-Error-Code", "RevisionNotFound")])
    }
    switch rest[2] {
    case "revision" where isAPI:
      return Answer(200, body: Array("{\"id\":\"\(rest[0])/\(rest[1])\",\"sha\":\"\(repository.commit)\",\"siblings\":[]}".utf8))
    case "tree" where isAPI:
      return tree(repository, query: parts.count > 1 ? String(parts[1]) : "", path: String(parts[0]))
    case "resolve" where !isAPI:
      return resolve(repository, rest[4...].joined(separator: "/"), storage: storage)
    default: return Answer(404)
    }
  }

  private func tree(_ repository: Repository, query: String, path: String) -> Answer {
    let cursor = query.split(separator: "&").first { $0.hasPrefix("cursor=") }.flatMap { Int($0.dropFirst(7)) } ?? 0
    let page = repository.files.dropFirst(cursor).prefix(repository.pageSize)
    let entries = page.map { file in
      let path = file.path.replacing("\\", with: "\\\\")
      let common = "{\"type\":\"file\",\"path\":\"\(path)\",\"size\":\(file.content.count),"
      return common
        + (file.isLarge
          ? "\"oid\":\"\(String(repeating: "1", count: 40))\",\"lfs\":{\"oid\":\"\(Self.sha256(file.content))\","
            + "\"size\":\(file.content.count),\"pointerSize\":134}}"
          : "\"oid\":\"\(Self.gitBlob(file.content))\"}")
    }
    let body = "[{\"type\":\"directory\",\"path\":\"folder\",\"size\":0,\"oid\":\"\"}\(entries.map { "," + $0 }.joined())]"
    var answer = Answer(200, body: Array(body.utf8))
    let next = cursor + repository.pageSize
    if next < repository.files.count {
      answer.headers.append(("Link", "<\(endpoint)\(path)?recursive=true&cursor=\(next)>; rel=\"next\""))
    }
    return answer
  }

  private func resolve(_ repository: Repository, _ path: String, storage: String?) -> Answer {
    guard let file = repository.files.first(where: { $0.path == path }) else {
      return Answer(404, headers: [("X-Error-Code", "EntryNotFound")])
    }
    var headers = [("X-Repo-Commit", repository.commit)]
    guard file.isLarge else {
      return Answer(200, headers: headers + [("ETag", "\"\(Self.gitBlob(file.content))\"")], body: file.content)
    }
    let digest = Self.sha256(file.content)
    headers += [("X-Linked-Size", "\(file.content.count)"), ("X-Linked-Etag", "\"\(digest)\"")]
    return Answer(302, headers: headers + [("Location", "\(storage ?? "")/storage/\(digest)?signature=secret")])
  }

  // MARK: The connection

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let box: Box
    private var head: HTTPRequestHead?

    init(_ box: Box) { self.box = box }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head): self.head = head
      case .body: break
      case .end:
        guard let head, let server = box.server.withLock({ $0.server }) else { return context.close(promise: nil) }
        write(server.answer(head), context)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func write(_ answer: Answer, _ context: ChannelHandlerContext) {
      var headers = HTTPHeaders(answer.headers)
      let body = answer.short.map { Array(answer.body.prefix($0)) } ?? answer.body
      // A short body has no length: it ends where the connection does.
      if answer.short == nil { headers.add(name: "Content-Length", value: "\(body.count)") }
      let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status), headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      if let pace = answer.pace { return trickle(body[...], pace, context) }
      let sent = answer.cut.map { body.prefix($0) } ?? body[...]
      let loopBound = NIOLoopBound(context, eventLoop: context.eventLoop)
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: sent))))).whenComplete { _ in
        // What was sent should arrive before the end does.
        guard answer.cut != nil else { return }
        loopBound.eventLoop.scheduleTask(in: .milliseconds(200)) { loopBound.value.close(promise: nil) }
      }
      if answer.cut == nil { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    }

    private func trickle(_ rest: ArraySlice<UInt8>, _ pace: Int, _ context: ChannelHandlerContext) {
      guard context.channel.isActive else { return }
      guard !rest.isEmpty else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: rest.prefix(pace))))), promise: nil)
      let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      context.eventLoop.scheduleTask(in: .milliseconds(10)) {
        let (handler, context) = loopBound.value
        handler.trickle(rest.dropFirst(pace), pace, context)
      }
    }
  }
}

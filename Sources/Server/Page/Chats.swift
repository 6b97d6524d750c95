internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import SwiftletJSON

/// `/api/chats`: what the page keeps. Chats and messages have ids that the page makes, so that a request whose answer was lost can be
/// sent again.
extension API {
  func addChats(to router: some RouterMethods<ServerContext>) {
    let group = router.group("api/chats")
    group.get("") { request, context in try await listChats(request, context) }
    group.get(":chat") { _, context in
      try await wholeChat(context, [.contentType: "application/json"]) { try $0.json.serialized() }
    }
    group.put(":chat") { request, context in try await saveChat(request, context) }
    group.put(":chat/messages/:message") { request, context in try await saveMessage(request, context) }
    group.delete(":chat") { _, context in
      let id = try Self.id("chat", context)
      guard try await store.removeChat(id, of: owner(context)) else { throw ChatRefusal.noChat(id) }
      return Response(status: .noContent)
    }
    group.get(":chat/export") { request, context in try await exportChat(request, context) }
  }

  /// While there are no keys, whoever reaches the server is the same person.
  private func owner(_ context: ServerContext) -> ChatOwner { context.record.key?.id }

  /// Characters as JSON Schema counts them: what a person sees as one may have any number of marks.
  private static let longestSearch = 200, longestTitle = 200
  private static let longestSettings = 256 << 10
  /// Chats of the largest size that are sent at once to a key.
  private static let chatsAtOnce = 4
  /// Enough for all that a key may keep, on a slow disk.
  private static let searchTime = Duration.seconds(30)

  private func listChats(_ request: Request, _ context: ServerContext) async throws -> Response {
    let query = Query(request.uri)
    let search = query["search"]?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    let length = search.unicodeScalars.count
    guard length <= Self.longestSearch else {
      throw APIError.outOfRange("search", "found \(length) characters, expected at most \(Self.longestSearch)")
    }
    let limit = try Self.number("limit", query, in: 1...1000) ?? 100
    let id = try query["before_id"].map { text throws(APIError) in try Self.checked(text, "before_id") }
    let place = try Self.number("before", query, in: 0 ... .max).map { Store.ChatPlace(time: $0, id: id) }
    let owner = owner(context)
    let list: @Sendable () async throws -> [Store.FoundChat] = { [store] in
      try await store.chats(of: owner, search: search, behind: place, limit: limit)
    }
    let chats =
      if search.isEmpty {
        try await list()
      } else {
        try await whileWanted(context) { [searches] in try await searches.run(of: owner, within: Self.searchTime, list) }
      }
    let values = chats.map { found in
      JSONValue.object(found.chat.members + (found.excerpt.map { [JSONMember(key: "excerpt", value: .string($0))] } ?? []))
    }
    return Self.unkept(Self.response(["chats": .array(values)]))
  }

  /// Runs long work, which is cancelled when the client leaves or the server waits no longer.
  private func whileWanted<Value: Sendable>(
    _ context: ServerContext, _ work: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let client = await ClientWatch.gone(context.channel)
    let task = Task { try await work() }
    let leaving = client.observe { task.cancel() }, cutting = lifecycle.cut.observe { task.cancel() }
    defer {
      client.remove(leaving)
      lifecycle.cut.remove(cutting)
    }
    do {
      return try await task.value
    } catch {
      if client.isRaised { throw AnswerRun.ClientGone() }
      if lifecycle.cut.isRaised { throw APIError.draining }
      throw error
    }
  }

  private static func number(_ name: String, _ query: Query, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard let text = query[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .outOfRange(name, "found '\(text.prefix(40))', expected an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Sends what `write` makes of a chat with its messages. That takes several times as much memory as the chat, for as long as the client
  /// likes to read it.
  private func wholeChat(
    _ context: ServerContext, _ headers: HTTPFields, _ write: @escaping @Sendable (WholeChat) throws -> String
  ) async throws -> Response {
    let id = try Self.id("chat", context), owner = owner(context)
    let room = limiter.room(
      of: context.record.key, for: "bytes of chats that are sent at once",
      limit: Self.chatsAtOnce * configuration.chatLimits.bytesPerChat)
    guard let bytes = try await store.bytes(ofChat: id, of: owner) else { throw ChatRefusal.noChat(id) }
    try room.take(bytes)
    guard let chat = try await store.chat(id, of: owner) else { throw ChatRefusal.noChat(id) }
    let text = try await Self.apart { ByteBuffer(string: try write(chat)) }
    let eventLoop = context.channel.eventLoop
    let body = ResponseBody(contentLength: text.readableBytes) { writer in
      defer { room.leave() }
      var rest = text
      // In copies, so that the last ones to be taken do not hold all of it.
      while let piece = rest.readBytes(length: min(rest.readableBytes, 1 << 16)), !piece.isEmpty {
        try await writer.write(ByteBuffer(bytes: piece))
        // What is written waits for the connection's thread; before that the writer does not see that the client takes no more, and with
        // a busy thread would take all of the text at once.
        try await eventLoop.submit {}.get()
      }
      try await writer.finish(nil)
    }
    return Self.unkept(Response(status: .ok, headers: headers, body: body))
  }

  private func saveChat(_ request: Request, _ context: ServerContext) async throws -> Response {
    let id = try Self.id("chat", context)
    let change = try await read(request, context) { try Self.change(Fields($0)) }
    let chat = try await store.save(change, chat: id, of: owner(context), limits: configuration.chatLimits)
    return Self.unkept(Self.response(.object(try chat.members)))
  }

  private static func change(_ fields: Fields) throws(APIError) -> Store.ChatChange {
    let change = Store.ChatChange(
      title: try fields.string("title").map(kept), settings: try object("settings", fields)?.serialized(),
      current: try id("current", fields), revision: try revision(fields))
    if let count = change.title?.unicodeScalars.count, count > longestTitle {
      throw .outOfRange("title", "found \(count) characters, expected at most \(longestTitle)")
    }
    if let count = change.settings?.utf8.count, count > longestSettings {
      throw .outOfRange("settings", "found \(count) bytes, expected at most \(longestSettings)")
    }
    return change
  }

  private func saveMessage(_ request: Request, _ context: ServerContext) async throws -> Response {
    let id = try Self.id("chat", context), messageID = try Self.id("message", context)
    let (message, base) = try await read(request, context) { body in
      let fields = try Fields(body)
      return (try Self.message(messageID, fields), try Self.revision(fields))
    }
    let revision = try await store.save(
      message, revision: base, chat: id, of: owner(context), limits: configuration.chatLimits)
    return Self.unkept(Self.response(["revision": .integer(revision)]))
  }

  private static func message(_ id: String, _ fields: Fields) throws(APIError) -> ChatMessageRecord {
    let role = try fields.required("role", try fields.string("role"))
    guard role == "user" || role == "assistant" else {
      throw .outOfRange("role", "found \"\(role.prefix(40))\", expected user or assistant")
    }
    return ChatMessageRecord(
      id: id, parent: try Self.id("parent", fields), role: role,
      content: kept(try fields.required("content", try fields.string("content"))),
      reasoning: kept(try fields.string("reasoning") ?? ""), details: try object("details", fields) ?? .object([]),
      created: try fields.integer("created", in: 0 ... .max) ?? Int(Date.now.timeIntervalSince1970 * 1000))
  }

  private func exportChat(_ request: Request, _ context: ServerContext) async throws -> Response {
    let format = Query(request.uri)["format"] ?? "json"
    guard let format = ChatExport(rawValue: format) else {
      throw APIError.outOfRange("format", "found '\(format.prefix(40))', expected json or markdown")
    }
    var headers = HTTPFields()
    headers[.contentType] = format.type
    headers[.contentDisposition] = "attachment; filename=\"chat.\(format.ending)\""
    return try await wholeChat(context, headers) { try format.text($0) }
  }

  // MARK: Parts

  /// A text as the database can hold it, where it would end at a null character.
  private static func kept(_ text: String) -> String { text.replacing("\0", with: "\u{FFFD}") }

  private static func revision(_ fields: Fields) throws(APIError) -> Int? { try fields.integer("revision", in: 0 ... .max) }

  /// An id of the address.
  private static func id(_ name: String, _ context: ServerContext) throws(APIError) -> String {
    try checked(context.parameters.get(name) ?? "", name)
  }

  private static func id(_ name: String, _ fields: Fields) throws(APIError) -> String? {
    guard let text = try fields.string(name) else { return nil }
    return try checked(text, fields.name(name))
  }

  private static func checked(_ text: String, _ name: String) throws(APIError) -> String {
    let isFine =
      (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
          || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      }
    guard isFine else {
      throw .outOfRange(name, "found '\(text.prefix(80))', expected up to 64 letters, digits, - and _")
    }
    return text
  }

  private static func object(_ name: String, _ fields: Fields) throws(APIError) -> JSONValue? {
    guard let value = fields[name] else { return nil }
    guard value.members != nil else { throw fields.failure(name, expected: "an object") }
    return value
  }

  /// Chats are for nobody's cache.
  private static func unkept(_ response: Response) -> Response {
    var response = response
    response.headers[.cacheControl] = "no-store"
    if let name = HTTPField.Name("X-Content-Type-Options") { response.headers[name] = "nosniff" }
    return response
  }
}

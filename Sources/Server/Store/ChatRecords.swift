internal import GRDB
internal import SwiftletJSON

/// A chat as the list of chats shows it: without its settings, which may be long.
struct ListedChat: Sendable {
  /// What is read for it.
  static let columns = "id, title, current, created, updated, revision"

  let id: String
  let title: String
  /// The message at the end of the branch that is shown.
  let current: String?
  /// Milliseconds since 1970.
  let created: Int
  let updated: Int
  /// Counts changes of title and settings, from 1.
  let revision: Int

  init(_ row: Row) {
    id = row["id"]
    title = row["title"]
    current = row["current"]
    created = row["created"]
    updated = row["updated"]
    revision = row["revision"]
  }

  var members: [JSONMember] {
    [
      JSONMember(key: "id", value: .string(id)), JSONMember(key: "title", value: .string(title)),
      JSONMember(key: "current", value: current.map { .string($0) } ?? .null),
      JSONMember(key: "created", value: .integer(created)), JSONMember(key: "updated", value: .integer(updated)),
      JSONMember(key: "revision", value: .integer(revision)),
    ]
  }
}

/// A chat without its messages.
///
/// What is JSON stays the text that is kept, here and in messages: megabytes of it are not parsed while others wait for the database.
struct ChatRecord: Sendable {
  let listed: ListedChat
  let settings: String
  /// With those of its messages.
  let bytes: Int

  init(_ row: Row) {
    listed = ListedChat(row)
    settings = row["settings"]
    bytes = row["bytes"]
  }

  var members: [JSONMember] {
    get throws { try listed.members + [JSONMember(key: "settings", value: JSONValue(parsing: settings))] }
  }
}

/// A message of a chat.
struct ChatMessageRecord: Sendable {
  var id: String
  /// The message it follows; nil for one that begins the chat.
  var parent: String?
  /// `user` or `assistant`.
  var role: String
  var content: String
  var reasoning: String
  /// JSON.
  var details: String
  /// Milliseconds since 1970.
  var created: Int
  /// Counts changes, from 1; 0 for one that is not kept yet.
  var revision = 0

  init(_ row: Row) {
    id = row["id"]
    parent = row["parent"]
    role = row["role"]
    content = row["content"]
    reasoning = row["reasoning"]
    details = row["details"]
    created = row["created"]
    revision = row["revision"]
  }

  init(
    id: String, parent: String?, role: String, content: String, reasoning: String, details: JSONValue, created: Int
  ) {
    self.id = id
    self.parent = parent
    self.role = role
    self.content = content
    self.reasoning = reasoning
    self.details = details.serialized()
    self.created = created
  }

  var json: JSONValue {
    get throws {
      [
        "id": .string(id), "parent": parent.map { .string($0) } ?? .null, "role": .string(role), "content": .string(content),
        "reasoning": .string(reasoning), "details": try JSONValue(parsing: details), "created": .integer(created),
        "revision": .integer(revision),
      ]
    }
  }

  var bytes: Int { Store.bytesOfRow + content.utf8.count + reasoning.utf8.count + details.utf8.count }

  /// Whether both say the same, whenever they were written.
  func isLike(_ other: ChatMessageRecord) -> Bool {
    parent == other.parent && role == other.role && content == other.content && reasoning == other.reasoning
      && details == other.details
  }
}

/// A chat with all its messages, in the order of their coming.
struct WholeChat: Sendable {
  let chat: ChatRecord
  let messages: [ChatMessageRecord]

  var json: JSONValue {
    get throws {
      let messages = try messages.map { try $0.json }
      return .object(try chat.members + [JSONMember(key: "messages", value: .array(messages))])
    }
  }

  /// The messages of the branch that is shown, or of the newest.
  var shown: [ChatMessageRecord] {
    var byID: [String: ChatMessageRecord] = [:]
    for message in messages { byID[message.id] = message }
    var path: [ChatMessageRecord] = []
    var next = chat.listed.current.flatMap { byID[$0] } ?? messages.last
    while let message = next, path.count < messages.count {
      path.append(message)
      next = message.parent.flatMap { byID[$0] }
    }
    return path.reversed()
  }
}

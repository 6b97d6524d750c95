internal import Foundation
internal import GRDB
internal import SwiftletJSON

/// Whose chats are meant: those of a key, or of everybody while there are no keys (nil).
typealias ChatOwner = Int64?

extension Store {
  /// What a change of a chat sets; nil leaves what is there.
  struct ChatChange: Sendable {
    var title: String?
    var settings: JSONValue?
    var current: String?
  }

  /// A chat that was found, and the text around the first place where a message has what was searched.
  struct FoundChat: Sendable {
    let chat: ChatRecord
    let excerpt: String?
  }

  /// Milliseconds since 1970.
  static func now() -> Int { Int(Date.now.timeIntervalSince1970 * 1000) }

  /// The newest chats of `owner`.
  /// - Parameters:
  ///   - search: a text that their title or one of their messages has, whatever the case of its ASCII letters; empty for all.
  ///   - before: only chats that changed before that time (milliseconds).
  func chats(of owner: ChatOwner, search: String, before: Int?, limit: Int) async throws -> [FoundChat] {
    let escaped = search.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
    let excerpt = """
      SELECT substr(content, max(1, instr(lower(content), lower(:search)) - 30), 120) FROM messages
      WHERE chat = chats.id AND content LIKE :pattern ESCAPE '\\' ORDER BY position LIMIT 1
      """
    let condition = search.isEmpty ? "" : "AND (title LIKE :pattern ESCAPE '\\' OR excerpt IS NOT NULL)"
    let sql = """
      SELECT *, \(search.isEmpty ? "NULL" : "(\(excerpt))") AS excerpt FROM chats
      WHERE owner IS :owner AND updated < :before \(condition) ORDER BY updated DESC, id LIMIT :limit
      """
    var arguments: StatementArguments = ["owner": owner, "before": before ?? Int.max, "limit": limit]
    if !search.isEmpty { arguments += ["search": search, "pattern": "%\(escaped)%"] }
    return try await pool.read { [arguments] database in
      try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
        FoundChat(chat: try ChatRecord(row), excerpt: row["excerpt"])
      }
    }
  }

  /// - Returns: nil when `owner` has no such chat.
  func chat(_ id: String, of owner: ChatOwner) async throws -> WholeChat? {
    try await pool.read { database in
      guard let chat = try Self.chat(id, of: owner, database) else { return nil }
      let rows = try Row.fetchAll(database, sql: "SELECT * FROM messages WHERE chat = ? ORDER BY position", arguments: [id])
      return WholeChat(chat: chat, messages: try rows.map(ChatMessageRecord.init))
    }
  }

  private static func chat(_ id: String, of owner: ChatOwner, _ database: Database) throws -> ChatRecord? {
    try Row.fetchOne(database, sql: "SELECT * FROM chats WHERE id = ? AND owner IS ?", arguments: [id, owner]).map(
      ChatRecord.init)
  }

  /// Makes a chat, or changes it.
  /// - Returns: nil when the id is that of another owner's chat.
  func save(
    _ change: ChatChange, chat id: String, of owner: ChatOwner, now: Int = Self.now()
  ) async throws -> ChatRecord? {
    try await pool.write { database in
      try database.execute(
        sql: """
          INSERT INTO chats (id, owner, title, settings, current, created, updated)
          VALUES (:id, :owner, coalesce(:title, ''), coalesce(:settings, '{}'), :current, :now, :now)
          ON CONFLICT (id) DO UPDATE SET
            title = coalesce(:title, title), settings = coalesce(:settings, settings), current = coalesce(:current, current)
          WHERE owner IS :owner
          """,
        arguments: [
          "id": id, "owner": owner, "title": change.title, "settings": change.settings?.serialized(), "current": change.current,
          "now": now,
        ])
      return try Self.chat(id, of: owner, database)
    }
  }

  /// Adds a message to a chat, or writes it anew: an answer is kept while it is still being written.
  /// - Returns: false when `owner` has no such chat.
  func save(
    _ message: ChatMessageRecord, chat id: String, of owner: ChatOwner, now: Int = Self.now()
  ) async throws -> Bool {
    try await pool.write { database in
      // Also when that is earlier: a chat that was used while the clock was wrong does not stay the newest for ever.
      try database.execute(sql: "UPDATE chats SET updated = ? WHERE id = ? AND owner IS ?", arguments: [now, id, owner])
      guard database.changesCount == 1 else { return false }
      try database.execute(
        sql: """
          INSERT INTO messages (chat, id, parent, role, content, reasoning, details, created)
          VALUES (:chat, :id, :parent, :role, :content, :reasoning, :details, :created)
          ON CONFLICT (chat, id) DO UPDATE SET
            parent = :parent, role = :role, content = :content, reasoning = :reasoning, details = :details, created = :created
          """,
        arguments: [
          "chat": id, "id": message.id, "parent": message.parent, "role": message.role, "content": message.content,
          "reasoning": message.reasoning, "details": message.details.serialized(), "created": message.created,
        ])
      return true
    }
  }

  /// Removes a chat and its messages.
  /// - Returns: false when `owner` has no such chat.
  func removeChat(_ id: String, of owner: ChatOwner) async throws -> Bool {
    try await pool.write { database in
      try database.execute(sql: "DELETE FROM chats WHERE id = ? AND owner IS ?", arguments: [id, owner])
      return database.changesCount == 1
    }
  }
}

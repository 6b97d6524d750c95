internal import Foundation
internal import GRDB
internal import SwiftletJSON

/// Whose chats are meant: those of a key, or of everybody while there are no keys (nil).
typealias ChatOwner = Int64?

extension Store {
  /// What a change of a chat sets; nil leaves what is there.
  struct ChatChange: Sendable {
    var title: String?
    /// JSON.
    var settings: String?
    var current: String?
    /// That of the chat on which the change is based, 0 for a new one; nil writes over whatever is there.
    var revision: Int?
  }

  /// A chat that was found, and the text around the first place where a message has what was searched.
  struct FoundChat: Sendable {
    let chat: ListedChat
    let excerpt: String?
  }

  /// A place in the list of chats, which has the newest first, and those of one time by their ids.
  struct ChatPlace: Sendable {
    /// Milliseconds since 1970.
    var time: Int
    /// nil stands behind all chats of the time.
    var id: String?
  }

  /// Milliseconds since 1970.
  static func now() -> Int { Int(Date.now.timeIntervalSince1970 * 1000) }

  /// The newest chats of `owner`.
  /// - Parameters:
  ///   - search: a text that their title or one of their messages has, whatever the case of its ASCII letters; empty for all.
  ///   - place: only chats behind it; nil for all.
  func chats(of owner: ChatOwner, search: String, behind place: ChatPlace?, limit: Int) async throws -> [FoundChat] {
    let escaped = search.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
    let excerpt = """
      SELECT substr(content, max(1, instr(lower(content), lower(:search)) - 30), 120) FROM messages
      WHERE chat = chats.id AND content LIKE :pattern ESCAPE '\\' ORDER BY position LIMIT 1
      """
    let condition = search.isEmpty ? "" : "AND (title LIKE :pattern ESCAPE '\\' OR excerpt IS NOT NULL)"
    let sql = """
      SELECT \(ListedChat.columns), \(search.isEmpty ? "NULL" : "(\(excerpt))") AS excerpt FROM chats
      WHERE owner IS :owner AND updated <= :time AND (updated < :time OR id > :id) \(condition)
      ORDER BY updated DESC, id LIMIT :limit
      """
    // Nothing is behind NULL.
    var arguments: StatementArguments = ["owner": owner, "time": place?.time ?? Int.max, "id": place?.id, "limit": limit]
    if !search.isEmpty { arguments += ["search": search, "pattern": "%\(escaped)%"] }
    return try await pool.read { [arguments] database in
      try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
        FoundChat(chat: ListedChat(row), excerpt: row["excerpt"])
      }
    }
  }

  /// What a chat takes with its messages.
  /// - Returns: nil when `owner` has no such chat.
  func bytes(ofChat id: String, of owner: ChatOwner) async throws -> Int? {
    try await pool.read { database in
      try Int.fetchOne(database, sql: "SELECT bytes FROM chats WHERE id = ? AND owner IS ?", arguments: [id, owner])
    }
  }

  /// - Returns: nil when `owner` has no such chat.
  func chat(_ id: String, of owner: ChatOwner) async throws -> WholeChat? {
    try await pool.read { database in
      guard let chat = try Self.chat(id, of: owner, database) else { return nil }
      let rows = try Row.fetchAll(database, sql: "SELECT * FROM messages WHERE chat = ? ORDER BY position", arguments: [id])
      return WholeChat(chat: chat, messages: rows.map(ChatMessageRecord.init))
    }
  }

  private static func chat(_ id: String, of owner: ChatOwner, _ database: Database) throws -> ChatRecord? {
    try Row.fetchOne(database, sql: "SELECT * FROM chats WHERE id = ? AND owner IS ?", arguments: [id, owner]).map(
      ChatRecord.init)
  }

  /// Makes a chat, or changes it.
  /// - Throws: `ChatRefusal`.
  func save(
    _ change: ChatChange, chat id: String, of owner: ChatOwner, limits: ChatLimits, now: Int = Self.now()
  ) async throws -> ChatRecord {
    try await pool.write { database in
      let earlier = try Self.chat(id, of: owner, database)
      if earlier == nil {
        // Who knows a revision knew a chat that is gone by now.
        guard (change.revision ?? 0) == 0 else { throw ChatRefusal.noChat(id) }
        try database.execute(
          sql: """
            INSERT INTO chats (id, owner, title, settings, created, updated, revision) VALUES (?, ?, '', '{}', ?, ?, 0)
            ON CONFLICT (id) DO NOTHING
            """, arguments: [id, owner, now, now])
      }
      guard let chat = try earlier ?? Self.chat(id, of: owner, database) else { throw ChatRefusal.noChat(id) }
      let title = change.title ?? chat.listed.title, settings = change.settings ?? chat.settings
      let isChanged = earlier == nil || title != chat.listed.title || settings != chat.settings
      // The same may be sent twice: the first answer may have been lost.
      if isChanged { try Self.check(change.revision, chat.listed.revision, "chat") }
      let more = title.utf8.count + settings.utf8.count - (chat.listed.title.utf8.count + chat.settings.utf8.count)
      // What is new takes its row and its empty settings.
      let new = earlier == nil ? Self.bytesOfRow + chat.settings.utf8.count : 0
      try Self.grow(chat, of: owner, by: more + new, limits, database)
      try database.execute(
        sql: "UPDATE chats SET title = ?, settings = ?, current = coalesce(?, current), revision = revision + ? WHERE id = ?",
        arguments: [title, settings, change.current, isChanged ? 1 : 0, id])
      guard let saved = try Self.chat(id, of: owner, database) else { throw ChatRefusal.noChat(id) }
      return saved
    }
  }

  /// Adds a message to a chat, or writes it anew: an answer is kept while it is still being written.
  /// - Parameter revision: that of the message on which this one is based, 0 for a new one; nil writes over whatever is there.
  /// - Returns: the message's revision.
  /// - Throws: `ChatRefusal`.
  func save(
    _ message: ChatMessageRecord, revision: Int?, chat id: String, of owner: ChatOwner, limits: ChatLimits,
    now: Int = Self.now()
  ) async throws -> Int {
    try await pool.write { database in
      guard let chat = try Self.chat(id, of: owner, database) else { throw ChatRefusal.noChat(id) }
      let earlier = try Row.fetchOne(
        database, sql: "SELECT * FROM messages WHERE chat = ? AND id = ?", arguments: [id, message.id]
      ).map(ChatMessageRecord.init)
      if let earlier, earlier.isLike(message) { return earlier.revision }
      let last = earlier?.revision ?? 0
      try Self.check(revision, last, "message")
      if let parent = message.parent, parent != earlier?.parent {
        try Self.checkPath(to: message.id, from: parent, chat: id, database)
      }
      try Self.grow(chat, of: owner, by: message.bytes - (earlier?.bytes ?? 0), limits, database)
      // Also when that is earlier: a chat that was used while the clock was wrong does not stay the newest for ever.
      try database.execute(sql: "UPDATE chats SET updated = ? WHERE id = ?", arguments: [now, id])
      try database.execute(
        sql: """
          INSERT INTO messages (chat, id, parent, role, content, reasoning, details, created, revision)
          VALUES (:chat, :id, :parent, :role, :content, :reasoning, :details, :created, :revision)
          ON CONFLICT (chat, id) DO UPDATE SET
            parent = :parent, role = :role, content = :content, reasoning = :reasoning, details = :details, created = :created,
            revision = :revision
          """,
        arguments: [
          "chat": id, "id": message.id, "parent": message.parent, "role": message.role, "content": message.content,
          "reasoning": message.reasoning, "details": message.details, "created": message.created,
          "revision": last + 1,
        ])
      return last + 1
    }
  }

  /// - Throws: `ChatRefusal` when a message is among those that its new parent follows, or is that parent.
  private static func checkPath(to message: String, from parent: String, chat: String, _ database: Database) throws {
    // UNION leaves out what was found before, so that a circle that was kept once ends.
    let isCircle = try Bool.fetchOne(
      database,
      sql: """
        WITH RECURSIVE path (id) AS (
          SELECT :parent
          UNION
          SELECT messages.parent FROM path JOIN messages ON messages.chat = :chat AND messages.id = path.id
          WHERE messages.parent IS NOT NULL
        )
        SELECT EXISTS (SELECT 1 FROM path WHERE id = :message)
        """, arguments: ["parent": parent, "chat": chat, "message": message])
    if isCircle == true { throw ChatRefusal.circle(message: message, parent: parent) }
  }

  /// - Throws: `ChatRefusal` when a change is based on another revision than the last.
  private static func check(_ given: Int?, _ last: Int, _ what: String) throws {
    if let given, given != last { throw ChatRefusal.changed(what, given: given, revision: last) }
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

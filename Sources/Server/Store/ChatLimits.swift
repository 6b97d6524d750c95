internal import GRDB

/// How much of chats is kept. What is over a limit already, as when the limit was made lower, stays and may shrink.
public struct ChatLimits: Sendable, Equatable {
  /// Bytes that a chat may take with its messages.
  public var bytesPerChat: Int
  /// Bytes that all chats of a key may take together; of everybody, while there are no keys.
  public var bytesPerKey: Int

  public init(bytesPerChat: Int = 64_000_000, bytesPerKey: Int = 1_000_000_000) {
    self.bytesPerChat = bytesPerChat
    self.bytesPerKey = bytesPerKey
  }
}

extension Store {
  /// What a chat or a message takes beside its texts, about, so that empty ones count too.
  static let bytesOfRow = 200

  /// Counts what a chat takes more than before.
  /// - Throws: `ChatRefusal` when it would be more than it may take.
  static func grow(_ chat: ChatRecord, of owner: ChatOwner, by more: Int, _ limits: ChatLimits, _ database: Database) throws {
    if more > 0 {
      let bytes = chat.bytes + more
      guard bytes <= limits.bytesPerChat else { throw ChatRefusal.chatFull(bytes: bytes, limit: limits.bytesPerChat) }
      let others = try Int.fetchOne(database, sql: "SELECT sum(bytes) FROM chats WHERE owner IS ?", arguments: [owner])
      let all = (others ?? 0) + more
      guard all <= limits.bytesPerKey else { throw ChatRefusal.allFull(bytes: all, limit: limits.bytesPerKey) }
    }
    try database.execute(sql: "UPDATE chats SET bytes = bytes + ? WHERE id = ?", arguments: [more, chat.listed.id])
  }
}

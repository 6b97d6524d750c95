internal import GRDB

extension Store {
  /// The chats of the page. A chat is a tree of messages: what was edited or asked for again stands beside what it replaces. Times are in
  /// milliseconds since 1970; `settings` and `details` are JSON objects that only the page reads.
  static func registerChats(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("chats") { database in
      try database.execute(
        sql: """
          CREATE TABLE chats (
            id TEXT PRIMARY KEY NOT NULL,
            owner INTEGER REFERENCES keys (id),
            title TEXT NOT NULL,
            settings TEXT NOT NULL,
            current TEXT,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL
          ) STRICT;
          CREATE INDEX chats_by_owner ON chats (owner, updated);
          CREATE TABLE messages (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
            id TEXT NOT NULL,
            parent TEXT,
            role TEXT NOT NULL,
            content TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            details TEXT NOT NULL,
            created INTEGER NOT NULL,
            UNIQUE (chat, id)
          ) STRICT;
          """)
    }
    // A revision counts changes, so that nobody writes over what somebody else changed; `bytes` are those of a chat with its messages.
    migrator.registerMigration("chat revisions and sizes") { database in
      try database.execute(
        sql: """
          ALTER TABLE chats ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
          ALTER TABLE chats ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE messages ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
          UPDATE chats SET bytes = \(bytesOfRow) + length(CAST(title || settings AS BLOB)) + coalesce((
            SELECT sum(\(bytesOfRow) + length(CAST(content || reasoning || details AS BLOB)))
            FROM messages WHERE chat = chats.id), 0);
          CREATE INDEX chats_by_size ON chats (owner, bytes);
          """)
    }
  }
}

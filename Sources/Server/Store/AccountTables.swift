internal import GRDB

extension Store {
  /// Keys, the money put on them, and what each request used and cost. Money is in pico-dollars, times are in seconds since 1970.
  ///
  /// At all times `granted + topped_up` of a key is the sum of its credits less the sum of its charges.
  static func registerAccounts(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("accounts") { database in
      try database.execute(
        sql: """
          CREATE TABLE keys (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            hash BLOB NOT NULL UNIQUE,
            prefix TEXT NOT NULL,
            name TEXT NOT NULL,
            is_admin INTEGER NOT NULL DEFAULT 0,
            granted INTEGER NOT NULL DEFAULT 0,
            topped_up INTEGER NOT NULL DEFAULT 0,
            requests_per_minute INTEGER,
            tokens_per_minute INTEGER,
            parallel INTEGER,
            created INTEGER NOT NULL,
            expires INTEGER,
            revoked INTEGER
          ) STRICT;
          CREATE TABLE credits (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key INTEGER NOT NULL REFERENCES keys (id),
            time INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            is_granted INTEGER NOT NULL
          ) STRICT;
          CREATE INDEX credits_by_key ON credits (key);
          CREATE TABLE usage (
            request TEXT PRIMARY KEY NOT NULL,
            key INTEGER REFERENCES keys (id),
            time INTEGER NOT NULL,
            model TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            cached_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            reasoning_tokens INTEGER NOT NULL,
            charge INTEGER NOT NULL,
            outcome TEXT
          ) STRICT;
          CREATE INDEX usage_by_key ON usage (key, time);
          CREATE INDEX usage_by_time ON usage (time);
          """)
    }
  }
}

public import Foundation
internal import GRDB

/// Why a key cannot be made or found.
public enum KeyError: Error, Sendable, Equatable, CustomStringConvertible {
  case notFound(String)
  case ambiguous(String, count: Int)
  case tooMuch(balance: Money)

  public var description: String {
    switch self {
    case .notFound(let text): "there is no key '\(text)'; `swiftlet keys list` shows numbers, names and beginnings of all keys"
    case .ambiguous(let text, let count): "'\(text)' are \(count) keys; name one by its number (`swiftlet keys list`)"
    case .tooMuch(let balance): "the balance would be \(balance) dollars, more than the \(Money.largest) that it may be"
    }
  }
}

extension Store {
  /// Makes a key.
  /// - Parameter balance: dollars that come with it, not below zero.
  /// - Returns: the key itself, which is kept nowhere, and what is kept.
  public func createKey(
    name: String, balance: Money = .zero, limits: KeyLimits = KeyLimits(), isAdmin: Bool = false, expires: Date? = nil
  ) throws -> (secret: String, key: APIKey) {
    let secret = KeySecret.random()
    let key = try pool.write { database in
      try database.execute(
        sql: """
          INSERT INTO keys
            (hash, prefix, name, is_admin, requests_per_minute, tokens_per_minute, parallel, created, expires)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          KeySecret.hash(secret), String(secret.prefix(KeySecret.prefixLength)), name, isAdmin, limits.requestsPerMinute,
          limits.tokensPerMinute, limits.parallel, Self.seconds(.now), expires.map(Self.seconds),
        ])
      let id = database.lastInsertedRowID
      if balance != .zero { try Self.credit(balance, to: id, isGranted: true, database) }
      return try Self.key(id, database)
    }
    return (secret, key)
  }

  /// All keys, in the order they were made.
  public func keys() throws -> [APIKey] {
    try pool.read { try Row.fetchAll($0, sql: "SELECT * FROM keys ORDER BY id").map(APIKey.init) }
  }

  /// The key with this number, this beginning, this name, or this secret. An empty text, as of a variable that a script did not set,
  /// names none, though keys may have no name.
  /// - Throws: `KeyError`.
  public func findKey(_ text: String) throws -> APIKey {
    if text.isEmpty { throw KeyError.notFound(text) }
    let found = try pool.read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM keys WHERE id = ? OR prefix = ? OR name = ? OR hash = ?",
        arguments: [Int64(text), text, text, KeySecret.hash(text)]
      ).map(APIKey.init)
    }
    // A number is a number before it is a name.
    if let id = Int64(text), let key = found.first(where: { $0.id == id }) { return key }
    guard let key = found.first else { throw KeyError.notFound(text) }
    guard found.count == 1 else { throw KeyError.ambiguous(text, count: found.count) }
    return key
  }

  /// Takes a key out of use, for good. Requests in progress go on.
  public func revokeKey(_ id: Int64) throws -> APIKey {
    try pool.write { database in
      try database.execute(
        sql: "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", arguments: [Self.seconds(.now), id])
      return try Self.key(id, database)
    }
  }

  /// Adds to what is on a key.
  /// - Throws: `KeyError` when it would be more than a million dollars.
  public func topUpKey(_ id: Int64, by amount: Money) throws -> APIKey {
    try pool.write { database in
      try Self.credit(amount, to: id, isGranted: false, database)
      return try Self.key(id, database)
    }
  }

  /// What the database says of a secret that a client sent.
  enum Recognition: Sendable, Equatable {
    /// There are no keys: everybody on this machine is let in.
    case noKeys
    case unknown
    case key(APIKey)
  }

  func recognize(_ secret: String?) async throws -> Recognition {
    try await pool.read { database in
      if let secret,
        let row = try Row.fetchOne(database, sql: "SELECT * FROM keys WHERE hash = ?", arguments: [KeySecret.hash(secret)])
      {
        return .key(APIKey(row))
      }
      return try Self.hasKeys(database) ? .unknown : .noKeys
    }
  }

  /// Whether a key was ever made. Revoked ones count: a server whose keys are all revoked lets nobody in.
  public func hasKeys() throws -> Bool { try pool.read(Self.hasKeys) }

  /// The same, for the server's start.
  var isGuarded: Bool {
    get throws(ServerError) {
      do { return try hasKeys() } catch { throw .store(StoreError(error, path: path)) }
    }
  }

  private static func hasKeys(_ database: Database) throws -> Bool {
    try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM keys)") ?? false
  }

  static func key(_ id: Int64, _ database: Database) throws -> APIKey {
    guard let row = try Row.fetchOne(database, sql: "SELECT * FROM keys WHERE id = ?", arguments: [id]) else {
      throw KeyError.notFound("\(id)")
    }
    return APIKey(row)
  }

  private static func credit(_ amount: Money, to id: Int64, isGranted: Bool, _ database: Database) throws {
    let balance = try key(id, database).balance + amount
    guard balance <= .largest else { throw KeyError.tooMuch(balance: balance) }
    try database.execute(
      sql: "INSERT INTO credits (key, time, amount, is_granted) VALUES (?, ?, ?, ?)",
      arguments: [id, seconds(.now), amount.picodollars, isGranted])
    try database.execute(
      sql: "UPDATE keys SET \(isGranted ? "granted = granted" : "topped_up = topped_up") + ? WHERE id = ?",
      arguments: [amount.picodollars, id])
  }

  /// Times further away than thirty million years are that far away: a person may name any.
  static func seconds(_ date: Date) -> Int64 { Int64(min(max(date.timeIntervalSince1970, -1e15), 1e15)) }
}

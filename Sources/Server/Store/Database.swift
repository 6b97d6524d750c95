public import Foundation
internal import GRDB

/// The server's database: keys, what they used and owe, and what else outlives the process. One file, `server.sqlite`, in a folder.
///
/// Any number of processes may have it open: a key that `swiftlet keys` makes counts in a running server at once.
public struct Store: Sendable {
  public static let fileName = "server.sqlite"

  /// The file.
  public let path: String
  /// Reads run beside each other and beside a write; writes one after the other, each in a transaction that is begun `IMMEDIATE`, so
  /// what a write reads is true until its end, whatever other processes do.
  let pool: DatabasePool

  /// Marks the file as this program's (`PRAGMA application_id`): "SwLt".
  private static let applicationID = 0x5377_4C74

  /// Where the database is unless told otherwise: `swiftlet` in `XDG_DATA_HOME`, which is ~/.local/share unless set (XDG Base
  /// Directory Specification); `SWIFTLET_DATA` names another folder.
  public static func defaultFolder(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    if let folder = environment["SWIFTLET_DATA"], !folder.isEmpty { return folder }
    // Paths that are not absolute are to be ignored.
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/swiftlet" }
    return (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/swiftlet"
  }

  /// Opens the database of a folder, both of which are made when they are missing, for the owner alone.
  /// - Throws: `StoreError`.
  public init(folder: String) throws(StoreError) {
    path = folder + "/" + Self.fileName
    try Self.makeFile(path, folder: folder)
    do {
      pool = try Self.alone(in: folder) { [path] in
        let pool = try DatabasePool(path: path, configuration: Self.configuration)
        try Self.prepare(pool)
        return pool
      }
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(error, path: path)
    }
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.label = "swiftlet-store"
    configuration.foreignKeysEnabled = true
    // Other processes hold the lock for a few milliseconds.
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { database in
      // In WAL mode the default, NORMAL, keeps the file whole when the power fails, but may forget the last transactions: money that
      // was taken. FULL waits for the disk once a transaction, and many requests share one.
      if !database.configuration.readonly { try database.execute(sql: "PRAGMA synchronous = FULL") }
    }
    return configuration
  }

  /// All tables. A table that was released is never edited here: a further migration changes it.
  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    registerAccounts(&migrator)
    registerChats(&migrator)
    return migrator
  }

  /// SQLite gives the files beside the database the rights that it has itself.
  private static func makeFile(_ path: String, folder: String) throws(StoreError) {
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .cannotOpen(path: path, reason: "its folder cannot be made: \(error.localizedDescription)")
    }
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .cannotOpen(path: path, reason: String(cString: strerror(errno))) }
    close(file)
  }

  /// Runs `body` while no other process does the same in this folder: two that turn a new file into one with a write-ahead log at once,
  /// or make its tables, would be in each other's way.
  private static func alone<Result>(in folder: String, _ body: () throws -> Result) throws -> Result {
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw CocoaError(.fileReadUnknown) }
    // Closing gives the lock back.
    defer { close(file) }
    while flock(file, LOCK_EX) != 0, errno == EINTR {}
    return try body()
  }

  /// Looks through the whole file for damage, which opening it does not.
  /// - Throws: `StoreError`.
  func check() throws(StoreError) {
    let found: String?
    do {
      found = try pool.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
    } catch {
      throw StoreError(error, path: path)
    }
    if found != "ok" { throw .damaged(path: path, reason: found ?? "it cannot be checked") }
  }

  private static func prepare(_ pool: DatabasePool) throws {
    let (isOurs, isEmpty, isNewer) = try pool.read { database in
      let id = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
      return (id == applicationID, id == 0 && count == 0, try migrator.hasBeenSuperseded(database))
    }
    guard isOurs || isEmpty else { throw StoreError.foreign(path: pool.path) }
    if isNewer { throw StoreError.newer(path: pool.path) }
    if isEmpty { try pool.write { try $0.execute(sql: "PRAGMA application_id = \(applicationID)") } }
    try migrator.migrate(pool)
  }
}

/// Why the server's database cannot be used.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
  case cannotOpen(path: String, reason: String)
  case damaged(path: String, reason: String)
  /// Written by a later version of this program.
  case newer(path: String)
  /// A database of another program.
  case foreign(path: String)

  init(_ error: any Error, path: String) {
    guard let error = error as? DatabaseError else {
      self = .cannotOpen(path: path, reason: "\(error)")
      return
    }
    let reason = error.message ?? "\(error.resultCode)"
    switch error.resultCode {
    case .SQLITE_NOTADB, .SQLITE_CORRUPT: self = .damaged(path: path, reason: reason)
    default: self = .cannotOpen(path: path, reason: reason)
    }
  }

  public var description: String {
    switch self {
    case .cannotOpen(let path, let reason):
      "the database \(path) cannot be used: \(reason); --data or SWIFTLET_DATA names another folder"
    case .damaged(let path, let reason):
      "the database \(path) is damaged (\(reason)); put back a copy of it, or move it away to begin anew, without its keys"
    case .newer(let path):
      "the database \(path) was written by a later version of swiftlet; use that one, or --data with another folder"
    case .foreign(let path):
      "\(path) is another program's database; --data names another folder"
    }
  }
}

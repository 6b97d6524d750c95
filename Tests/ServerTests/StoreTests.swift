import Foundation
import GRDB
import Logging
import Swiftlet
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct StoreTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/data" }

  init() throws { folder = try TemporaryFolder() }

  @Test func brokenFilesAreErrors() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let file = URL(fileURLWithPath: path + "/" + Store.fileName)
    try Data(repeating: 0x41, count: 5000).write(to: file)
    #expect(throws: StoreError.self) { try Store(folder: path) }
    try FileManager.default.removeItem(at: file)
    _ = try Store(folder: path)
    // Cut in the middle.
    try Data(try Data(contentsOf: file).prefix(5000)).write(to: file)
    #expect(throws: StoreError.self) { try Store(folder: path) }
    #expect(throws: StoreError.self) { try Store(folder: "/dev/null/x") }
  }

  @Test func errorsNameTheFileAndWhatToDo() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let file = path + "/" + Store.fileName
    try Data("not a database, though long enough to be one".utf8).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: StoreError.self) { try Store(folder: path) }
    let text = "\(ServerError.store(try #require(error)))"
    #expect(text.contains(file) && text.contains("damaged") && text.contains("put back a copy"), "\(text)")
  }

  /// Wherever a page is damaged, a server does not start.
  @Test func damageInsideIsFoundBeforeAnybodyIsServed() throws {
    let model = ServedModel(id: "tiny", model: try LanguageModel(path: try TinyModels.chat(in: folder.path), threadCount: 1))
    func start(_ store: Store) throws { _ = try APIServer(models: [model], store: store, logger: Logger(label: "test")) }
    do {
      let store = try Store(folder: path)
      for index in 0..<5 { _ = try store.createKey(name: "\(index)", balance: Money(picodollars: 100)) }
      try start(store)
      // All of it into the file itself.
      try store.pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
      try store.pool.close()
    }
    let whole = try Data(contentsOf: URL(fileURLWithPath: path + "/" + Store.fileName)), page = 4096
    #expect(whole.count > 8 * page && whole.count.isMultiple(of: page))
    for place in stride(from: page, to: whole.count, by: page) {
      let copy = folder.path + "/copy\(place)"
      try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
      var damaged = whole
      damaged.replaceSubrange(place..<place + page, with: Data(repeating: 0xAA, count: page))
      try damaged.write(to: URL(fileURLWithPath: copy + "/" + Store.fileName))
      let error = #expect(throws: (any Error).self) { try start(try Store(folder: copy)) }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains(copy) && text.contains("damaged"), "\(place): \(text)")
    }
    // A journal that is none is as good as nothing.
    let copy = folder.path + "/journal"
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    try whole.write(to: URL(fileURLWithPath: copy + "/" + Store.fileName))
    try Data(repeating: 0x41, count: 50_000).write(to: URL(fileURLWithPath: copy + "/" + Store.fileName + "-wal"))
    let store = try Store(folder: copy)
    try store.check()
    #expect(try store.keys().count == 5)
  }

  @Test func laterAndForeignDatabasesAreLeftAlone() throws {
    do {
      let store = try Store(folder: path)
      try store.pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('of the future')") }
      try store.pool.close()
    }
    #expect(throws: StoreError.newer(path: path + "/server.sqlite")) { try Store(folder: path) }
    let other = folder.path + "/other"
    try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
    let queue = try DatabaseQueue(path: other + "/server.sqlite")
    try queue.write { try $0.execute(sql: "CREATE TABLE songs (name TEXT)") }
    try queue.close()
    #expect(throws: StoreError.foreign(path: other + "/server.sqlite")) { try Store(folder: other) }
  }

  @Test func aRequestIsChargedOnceHoweverOftenItIsWritten() async throws {
    let store = try Store(folder: path)
    let key = try store.createKey(name: "k", balance: Money(picodollars: 100)).key
    var entry = UsageEntry(
      request: "req_1", key: key.id, time: .now, model: "m", endpoint: "/chat/completions",
      usage: Usage(promptTokens: 5, choices: []), charge: Money(picodollars: 30))
    for charge in [30, 30, 80, 130] as [Int64] {
      entry.charge = Money(picodollars: charge)
      try await store.record([entry, entry])
      #expect(try store.findKey("k").balance.picodollars == 100 - charge)
    }
    // What came with the key is used first; the rest is owed.
    let after = try store.findKey("1")
    #expect(after.granted == .zero && after.toppedUp.picodollars == -30)
    #expect(try store.topUpKey(key.id, by: Money(picodollars: 50)).balance.picodollars == 20)
    #expect(throws: KeyError.self) { try store.topUpKey(key.id, by: .largest) }
    let sum = try #require(try store.usage(by: .key).first)
    #expect(sum.group == "1 k" && sum.requests == 1 && sum.promptTokens == 5 && sum.charge.picodollars == 130)
    #expect(try store.usage(by: .model, since: .now + 60).isEmpty)
    // As `--since 1e300d` has it.
    for since in [-1e300, -Double.infinity] {
      #expect(try store.usage(by: .day, since: Date(timeIntervalSince1970: since)).count == 1)
    }
    #expect(try store.usage(by: .day, since: Date(timeIntervalSince1970: 1e300)).isEmpty)
    #expect(throws: KeyError.notFound("x")) { try store.findKey("x") }
  }

  /// Chats of a database from before revisions and sizes have both.
  @Test func earlierChatsAreTakenOver() async throws {
    do {
      let store = try Store(folder: path)
      try await store.pool.write { database in
        try database.execute(
          sql: """
            DROP INDEX chats_by_size;
            ALTER TABLE chats DROP COLUMN revision;
            ALTER TABLE chats DROP COLUMN bytes;
            ALTER TABLE messages DROP COLUMN revision;
            DELETE FROM grdb_migrations WHERE identifier = 'chat revisions and sizes';
            INSERT INTO chats (id, title, settings, created, updated) VALUES ('a', 'Bäume', '{}', 1, 1), ('b', '', '{}', 1, 1);
            INSERT INTO messages (chat, id, role, content, reasoning, details, created)
            VALUES ('a', 'm1', 'user', '樹', '', '{}', 1), ('a', 'm2', 'assistant', 'Yes.', 'Hm', '{"a":1}', 1);
            """)
      }
      try store.pool.close()
    }
    let store = try Store(folder: path)
    let chat = try #require(try await store.chat("a", of: nil))
    #expect(chat.chat.listed.revision == 1 && chat.messages.map(\.revision) == [1, 1])
    #expect(chat.chat.bytes == Store.bytesOfRow + 6 + 2 + chat.messages.reduce(0) { $0 + $1.bytes })
    #expect(try await store.chat("b", of: nil)?.chat.bytes == Store.bytesOfRow + 2)
    // And go on from there.
    var message = chat.messages[0]
    message.content += "!"
    #expect(try await store.save(message, revision: 1, chat: "a", of: nil, limits: ChatLimits()) == 2)
    #expect(try await store.chat("a", of: nil)?.chat.bytes == chat.chat.bytes + 1)
  }

  @Test func manyProcessesMayOpenANewFolderAtOnce() async throws {
    let path = path
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<8 { group.addTask { _ = try Store(folder: path).createKey(name: "\(index)") } }
      try await group.waitForAll()
    }
    #expect(try Store(folder: path).keys().count == 8)
  }
}

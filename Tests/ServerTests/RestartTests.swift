import Foundation
import GRDB
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// What outlives the server's process besides keys, usage and chats.
@Suite(.timeLimit(.minutes(2))) struct RestartTests {
  private static let model = "chatter"

  private struct Answer: Equatable {
    var hits: Int
    var misses: Int
  }

  private static func ask(_ server: ServedCommand, _ key: String) async throws -> Answer {
    let text = String(repeating: "All that was said before. ", count: 10)
    let (_, usage) = try #require(await server.chat(model, key, text: text, tokens: 5, isStreamed: false))
    return Answer(
      hits: try #require(usage["prompt_cache_hit_tokens"]?.integer),
      misses: try #require(usage["prompt_cache_miss_tokens"]?.integer))
  }

  /// Beginnings of prompts are found again after a stop and after a kill, are charged as hits, are no other key's, and damaged files
  /// are computed anew.
  @Test func promptsAreKnownAfterRestart() async throws {
    let folder = try TemporaryFolder(), path = folder.path, data = path + "/data"
    let model = try TinyModels.chat(in: path, contextLength: 4000), store = try Store(folder: data)
    let (mine, key) = try store.createKey(name: "mine"), (other, _) = try store.createKey(name: "other")
    let arguments = [model, "--data", data]
    func files() throws -> [URL] {
      try FileManager.default.contentsOfDirectory(
        at: URL(fileURLWithPath: data + "/prefixes"), includingPropertiesForKeys: nil
      ).filter { $0.pathExtension == "prefix" }
    }

    let first = try await ServedCommand(arguments, folder: path)
    let cold = try await Self.ask(first, mine)
    #expect(cold.hits == 0 && cold.misses >= 65, "\(cold)")
    first.process.terminate()
    first.process.waitUntilExit()
    let count = try files().count
    #expect(count > 0)

    let second = try await ServedCommand(arguments, folder: path)
    let warm = try await Self.ask(second, mine)
    #expect(warm.hits == (cold.misses - 1) / 64 * 64 && warm.hits + warm.misses == cold.misses, "\(warm)")
    #expect(try await Self.ask(second, other).hits == 0)
    let usage = try store.pool.read { database in
      try Row.fetchAll(database, sql: "SELECT cached_tokens FROM usage WHERE key = ? ORDER BY time, rowid", arguments: [key.id])
    }
    #expect(usage.map { $0["cached_tokens"] as Int } == [0, warm.hits])
    for _ in 0..<200 where try files().count == count { try await Task.sleep(for: .milliseconds(10)) }
    kill(second.process.processIdentifier, SIGKILL)
    second.process.waitUntilExit()
    #expect(try files().count == 2 * count)

    for file in try files() {
      let handle = try FileHandle(forWritingTo: file)
      try handle.truncate(atOffset: 50)
      try handle.close()
    }
    let third = try await ServedCommand(arguments, folder: path)
    #expect(try await Self.ask(third, mine) == cold)
    third.process.terminate()
    third.process.waitUntilExit()
    #expect(third.process.terminationStatus == 0)

    let none = try await ServedCommand(arguments + ["--prefix-cache", "0"], folder: path)
    #expect(try await Self.ask(none, mine).hits == 0)
    none.process.terminate()
    none.process.waitUntilExit()
  }
}

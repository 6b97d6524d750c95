import Foundation
import GRDB
import SwiftletTestSupport
import Synchronization
import Testing

@testable import SwiftletServer

/// The built command, killed while it answers.
@Suite(.timeLimit(.minutes(2))) struct KillTests {
  /// What the answers that came whole should have cost, by request.
  private final class Charges: Sendable {
    private let values = Mutex<[String: Int64]>([:])

    func note(_ charge: Int64, of id: String) { values.withLock { $0[id] = charge } }

    var all: [String: Int64] { values.withLock { $0 } }
  }

  private static let model = "chatter"
  private static let hit: Int64 = 14_000, miss: Int64 = 140_000, output: Int64 = 280_000

  private static func charge(_ prompt: Int, _ cached: Int, _ completion: Int) -> Int64 {
    Int64(cached) * hit + Int64(prompt - cached) * miss + Int64(completion) * output
  }

  @Test func noChargeIsLostOrDoubled() async throws {
    let folder = try TemporaryFolder(), path = folder.path
    let model = try TinyModels.chat(in: path, contextLength: 4000), data = path + "/data", file = path + "/server.json"
    let prices = #"{"*": {"cache_hit": 0.014, "cache_miss": 0.14, "output": 0.28}}"#
    try Data(#"{"prices": \#(prices), "models": ["\#(model)"], "data": "\#(data)", "log-level": "info"}"#.utf8)
      .write(to: URL(fileURLWithPath: file))
    let store = try Store(folder: data), start = Money(dollars: "100") ?? .zero
    let (secret, _) = try store.createKey(name: "k", balance: start)
    let answered = Charges()

    func load(_ server: ServedCommand, seconds: Double) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<6 {
          group.addTask {
            while server.process.isRunning {
              let tokens = [5, 20, 3000][worker % 3]
              guard let (id, usage) = await server.chat(Self.model, secret, tokens: tokens, isStreamed: worker % 2 == 0) else {
                continue
              }
              func count(_ name: String) -> Int { usage[name]?.integer ?? -1 }
              let charge = Self.charge(
                count("prompt_tokens"), count("prompt_cache_hit_tokens"), count("completion_tokens"))
              answered.note(charge, of: id)
            }
          }
        }
        try await Task.sleep(for: .seconds(seconds))
        kill(server.process.processIdentifier, SIGKILL)
        try await group.waitForAll()
      }
    }

    /// Every answer that came whole has been charged as it says, and the balance is what the table says.
    func check() throws -> Int {
      let rows = try store.pool.read { try Row.fetchAll($0, sql: "SELECT * FROM usage") }
      var charges: [String: Int64] = [:]
      for row in rows {
        charges[row["request"]] = row["charge"]
        #expect(row["charge"] == Self.charge(row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]))
      }
      for (id, charge) in answered.all { #expect(charges[id] == charge, "\(id)") }
      #expect(try store.findKey("k").balance.picodollars == start.picodollars - charges.values.reduce(0, +))
      return rows.count
    }

    for _ in 0..<2 {
      let server = try await ServedCommand(["--config", file], folder: path)
      try await load(server, seconds: 1.5)
      #expect(try check() >= answered.all.count)
    }
    #expect(answered.all.count > 4)
    // A further start changes nothing that was written, and goes on.
    let count = try check()
    let server = try await ServedCommand(["--config", file], folder: path)
    #expect(try check() == count)
    let last = await server.chat(Self.model, secret, tokens: 5, isStreamed: true)
    #expect(last != nil)
    #expect(try check() == count + 1)
    server.process.terminate()
    server.process.waitUntilExit()
    #expect(server.process.terminationStatus == 0)
  }
}

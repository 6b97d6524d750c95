import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletTestSupport
import SwiftletTokenization
import Testing

@testable import SwiftletConstraints

/// Schemas that others wrote, followed by a sampler that takes any allowed token. `make schema-tests` has the outputs judged by jsonschema.
@Suite struct SchemaCorpusTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

  static func corpus() throws -> [(name: String, schema: JSONValue)] {
    let data = try Data(contentsOf: folder.appendingPathComponent("Fixtures/schemas.json"))
    return try #require(try JSONValue(parsing: Array(data)).elements).map { row in
      (try #require(row["name"]?.string), try #require(row["schema"]))
    }
  }

  /// SmolLM2's vocabulary where it is installed, else a small one, which has all bytes.
  static func tokenizer() throws -> Tokenizer {
    if SmallModel.isInstalled { return try Tokenizer(gguf: GGUFFile(path: SmallModel.path)) }
    let fixtures = folder.deletingLastPathComponent().appendingPathComponent("TokenizationTests/Fixtures")
    return try Tokenizer(tokenizerJSON: Array(Data(contentsOf: fixtures.appendingPathComponent("deepseek-v3.tokenizer.json"))))
  }

  @Test func everyKeptSchemaGivesWellFormedOutputInTime() throws {
    let sampler = RandomSampler(try Self.tokenizer())
    let output = ProcessInfo.processInfo.environment["SWIFTLET_SCHEMA_SAMPLES"]
    let seeds: Range<UInt64> = output == nil ? 0..<2 : 0..<8
    var rows: [String] = [], kept = 0
    for (index, (name, value)) in try Self.corpus().enumerated() {
      let schema: JSONSchema
      let grammar: CompiledGrammar
      do {
        schema = try JSONSchema(value)
        grammar = try CompiledGrammar(.schema(schema), trie: sampler.trie)
      } catch {
        let keyword = (error as? SchemaError)?.keyword ?? "contradiction"
        rows.append(
          (["index": .integer(index), "refused": .string("\(error)"), "keyword": .string(keyword)] as JSONValue).serialized())
        continue
      }
      kept += 1
      for seed in seeds {
        let limit = grammar.leastTokens + [0, 3, 40, 200, 8, 80, 400, 20][Int(seed % 8)]
        do {
          let text = try sampler.text(grammar, limit: limit, seed: seed &* 1_000_003 &+ UInt64(index)).bytes
          let parsed = try JSONValue(parsing: text)
          #expect(Self.hasUniqueKeys(parsed), "\(name)")
          var again = Matcher(grammar)
          let isAccepted = again.accept(text)
          #expect(isAccepted && again.isComplete, "\(name)")
          rows.append(
            (["index": .integer(index), "seed": .integer(Int(seed)), "text": .string(String(decoding: text, as: UTF8.self))]
              as JSONValue)
              .serialized())
        } catch {
          Issue.record("\(name), seed \(seed), limit \(limit): \(error)")
        }
      }
    }
    #expect(kept >= 200)
    if let output { try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: output)) }
  }

  private static func hasUniqueKeys(_ value: JSONValue) -> Bool {
    if let members = value.members {
      return Set(members.map { Array($0.key.utf8) }).count == members.count && members.allSatisfy { hasUniqueKeys($0.value) }
    }
    return value.elements?.allSatisfy(hasUniqueKeys) ?? true
  }
}

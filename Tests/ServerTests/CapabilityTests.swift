import Foundation
import Swiftlet
import SwiftletGeneration
import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// What `/models` says that a model can do.
@Suite struct CapabilityTests {
  /// Whether a model thinks is told of each of its names, beside all that was told before, and is what its answers show.
  @Test(arguments: [false, true]) func tellsWhetherAModelCanThink(opensThought: Bool) async throws {
    try await TestServer.run(opensThought: opensThought) { server async throws in
      let expected = opensThought ? ["completion", "thinking"] : ["completion"]
      for path in ["/models", "/v1/models"] {
        let list = try await server.send("GET", path).json
        let models = try #require(list["data"]?.elements)
        #expect(models.compactMap { $0["id"]?.string } == ["tiny", "deepseek-chat", "deepseek-reasoner"])
        for model in models {
          #expect(model["capabilities"]?.elements?.compactMap(\.string) == expected, "\(model.serialized())")
          #expect(model["object"]?.string == "model" && model["owned_by"]?.string == "swiftlet")
          #expect(model["created"]?.integer != nil && model["context_length"]?.integer != nil)
        }
      }
      let one = try await server.send("GET", "/v1/models/tiny").json
      #expect(one["capabilities"]?.elements?.compactMap(\.string) == expected)
      let answer = try await server.post("/chat/completions", TestServer.chat(["thinking": ["type": "enabled"]])).json
      let thought = try #require(answer["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer)
      #expect((thought > 0) == opensThought, "\(thought)")
    }
  }

  @Test func modelsWithoutATemplateDoNotThink() async throws {
    try await TestServer.run(hasTemplate: false) { server async throws in
      let one = try await server.send("GET", "/models/tiny").json
      #expect(one["capabilities"]?.elements?.compactMap(\.string) == ["completion"])
    }
  }

  /// The capabilities of the model at a path, with another chat template than its own.
  private static func capabilities(_ path: String, _ template: TemplateSource? = nil) throws -> [String] {
    let model = try LanguageModel(path: path, template: template, threadCount: 1)
    return ServedModel(id: "tiny", model: model).capabilities
  }

  /// Gives a model's vocabulary further tokens.
  private static func add(_ tokens: [String], to path: String) throws {
    let file = URL(fileURLWithPath: path + "/tokenizer.json")
    let members = try #require(try JSONValue(parsing: Array(Data(contentsOf: file))).members)
    let added = tokens.enumerated().map { index, token -> JSONValue in
      [
        "id": .integer(TinyModels.endToken + 1 + index), "content": .string(token), "special": false, "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false,
      ]
    }
    let changed = members.map { member in
      guard member.key == "added_tokens" else { return member }
      return JSONMember(key: member.key, value: .array((member.value.elements ?? []) + added))
    }
    try Data(JSONValue.object(changed).serialized().utf8).write(to: file)
  }

  @Test func templatesDecide() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = try TinyModels.chat(in: folder.path)
    // R1's opens a thought in any case, those of V3.1 and V3.2 when they are asked to. V3.2's shows tools too.
    let expected = [
      "deepseek-v2": ["completion"], "deepseek-v3": ["completion"], "deepseek-r1": ["completion", "thinking"],
      "deepseek-v3.1": ["completion", "thinking"], "deepseek-v3.2": ["completion", "tools", "thinking"],
    ]
    for (name, capabilities) in expected {
      #expect(try Self.capabilities(path, TemplateSource(named: name)) == capabilities, "\(name)")
    }
  }

  /// Where a template leaves it to the model, its vocabulary tells.
  @Test func vocabulariesDecideWhereTemplatesDoNot() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = try TinyModels.chat(in: folder.path)
    // As Qwen3's, whose models begin with <think> themselves unless the prompt has an empty thought.
    let start = "{% for message in messages %}{{ message.content }}{% endfor %}", thought = "<think>\n\n</think>\n\n"
    let condition = "enable_thinking is defined and enable_thinking is false"
    let switching = TemplateSource(text: start + "{% if \(condition) %}\(thought){% endif %}")
    let closing = TemplateSource(text: start + thought)
    #expect(try Self.capabilities(path, switching) == ["completion"])
    try Self.add(["<think>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"], to: path)
    #expect(try Self.capabilities(path) == ["completion", "insert", "thinking"])
    #expect(try Self.capabilities(path, switching) == ["completion", "insert", "thinking"])
    #expect(try Self.capabilities(path, closing) == ["completion", "insert"])
  }
}

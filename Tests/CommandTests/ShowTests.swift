import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ShowTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  @Test func layersThatPredictFurtherTokensAreCountedApart() async throws {
    let json = try await runner.succeed("show", TinyModels.checkpoint("deepseek-v3-next-token"), "--json", "--tensors").json
    let extra = try #require(json["next_token_parameters"]?.integer), total = try #require(json["parameters"]?.integer)
    let all = try #require(json["tensors"]?.elements).reduce(0) { sum, tensor in
      sum + (tensor["shape"]?.elements ?? []).reduce(1) { $0 * ($1.integer ?? 0) }
    }
    #expect(extra > 0 && total + extra == all)
    #expect(json["active_parameters"]?.integer ?? 0 < total)
    #expect(
      try await runner.succeed("show", TinyModels.checkpoint("deepseek-v3-next-token")).output.contains("next-token layers"))
    #expect(
      try await runner.succeed("show", TinyModels.checkpoint("deepseek-v3"), "--json").json["next_token_parameters"]?.integer == 0
    )
  }

  @Test func sizesAreBytes() async throws {
    let json = try await runner.succeed("show", TinyModels.gguf("deepseek-v3"), "--json", "--tensors").json
    let bytes = try #require(json["tensors"]?.elements).reduce(0) { $0 + ($1["bytes"]?.integer ?? 0) }
    #expect(json["weight_bytes"]?.integer == bytes)
    let cache = try #require(json["cache_bytes_per_token"]?.integer), context = try #require(json["context"]?.integer)
    #expect(json["cache_bytes_of_context"]?.integer == cache * context)
    #expect(json["problem"] == nil && json["unread_tensors"]?.integer == 0)
    let table = try await runner.succeed("show", TinyModels.gguf("deepseek-v3"), "--tensors").output
    #expect(table.contains(/blk\.0\.attn_norm\.weight +F32 +\[40\] +160 B/))
  }

  /// A folder with the configuration of a fixture, and what is written into it.
  private func model(_ name: String = "llama-gqa-tied", _ files: [String: String] = [:]) throws -> String {
    let path = runner.folder + "/model"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: TinyModels.checkpoint(name), toPath: path)
    for (file, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + file)) }
    return path
  }

  @Test func theLicenceIsWhatTheFilesSay() async throws {
    func license(_ files: [String: String]) async throws -> JSONValue {
      try await runner.succeed("show", model(files: files), "--json").json
    }
    func model(files: [String: String]) throws -> String { try self.model("llama-gqa-tied", files) }
    #expect(try await license([:])["license"]?.isNull == true)
    #expect(try await runner.succeed("show", model(files: [:])).output.contains("unknown: the files name none"))
    let card =
      "---\nlanguage:\n- en\nlicense: other\nlicense_name: \"deepseek\"\nlicense_link: https://x.org/L\n---\nlicense: no\n"
    let json = try await license(["README.md": card, "LICENSE": "MIT License\n"])
    #expect(
      json["license"]?.string == "other" && json["license_name"]?.string == "deepseek"
        && json["license_link"]?.string == "https://x.org/L")
    #expect(try await license(["README.md": "# No head\nlicense: mit\n"])["license"]?.isNull == true)
    #expect(try await license(["README.md": "---\nlicense:\n- mit\n- apache-2.0\n---\n"])["license"]?.string == "mit")
    #expect(try await license(["LICENSE": "\n  MIT License\n\nCopyright\n"])["license"]?.string == "MIT License")
  }

  @Test func aTypeThatIsNotReadIsShownWithTheReason() async throws {
    let path = try model()
    var header = Array(
      #"{"model.embed_tokens.weight":{"dtype":"I8","shape":[269,40],"data_offsets":[0,10760]}}"#.utf8)
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    let size = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    try (size + Data(header) + Data(count: 10760)).write(to: URL(fileURLWithPath: path + "/model.safetensors"))
    let json = try await runner.succeed("show", path, "--json", "--tensors").json
    #expect(json["unread_tensors"]?.integer == 1 && json["parameters"]?.integer ?? 0 > 10760)
    #expect(json["tensors"]?.elements?.first?["bytes"]?.isNull == true)
    #expect(json["problem"]?.string?.contains("found type I8") == true)
    let text = try await runner.succeed("show", path, "--tensors").output
    #expect(text.contains("Cannot be run: ") && text.contains("not read") && text.contains("I8 ×1"))
    #expect(!text.contains("cache per token"))
  }

  @Test func anArchitectureThatIsNotKnownIsShownWithTheReason() async throws {
    let path = try model("llama-gqa-tied", ["config.json": #"{"model_type": "deepseek_v32", "vocab_size": 269}"#])
    let json = try await runner.succeed("show", path, "--json").json
    #expect(json["architecture"]?.string == "deepseek_v32")
    #expect(json["parameters"]?.integer ?? 0 > 0 && json["active_parameters"] == nil)
    #expect(json["problem"]?.string?.contains("model_type") == true)
    #expect(try await runner.succeed("show", path).output.contains("built in, deepseek-v3.2"))
  }

  @Test func whatIsNoModelIsAnError() async throws {
    try FileManager.default.createDirectory(atPath: runner.folder + "/empty", withIntermediateDirectories: true)
    let result = try await runner.run(["show", "empty"])
    #expect(result.status == 1 && result.output.isEmpty && result.errors.contains("empty"))
  }
}

import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// The forms that scripts rely on.
@Suite(.timeLimit(.minutes(2))) struct StableFormsTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  /// transformers' logits of the same ids; the folder holds config.json and weights alone.
  @Test(arguments: ["llama-gqa-tied", "qwen2-untied", "deepseek-v2-lite", "deepseek-v3"])
  func logitsEqualTheReference(name: String) async throws {
    for file in ["config.json", "model.safetensors"] {
      try FileManager.default.createDirectory(atPath: runner.folder + "/model", withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: TinyModels.checkpoint(name) + "/" + file, toPath: "\(runner.folder)/model/\(file)")
    }
    let expected = try TensorFile(path: TinyModels.checkpoint(name) + "/expected.safetensors")
    let ids = try expected.integers("ids"), positions = try expected.integers("positions")
    let reference = try expected.floats("logits")
    let text = ids.map(String.init).joined(separator: ",")
    let result = try await runner.succeed("logits", "model", "--ids", text, "--output", "logits.safetensors")
    #expect(result.output.isEmpty)
    let file = try TensorFile(path: runner.folder + "/logits.safetensors")
    #expect(file.names == ["logits"])
    let size = reference.count / positions.count
    #expect(file.shape("logits") == [ids.count, size])
    let logits = try file.floats("logits")
    var worst: Float = 0
    for (row, position) in positions.enumerated() {
      for column in 0..<size { worst = max(worst, abs(logits[position * size + column] - reference[row * size + column])) }
    }
    #expect(worst <= 1e-3)
  }

  @Test func tokenizeWritesAnArrayALine() async throws {
    let model = TinyModels.gguf("llama-gqa-tied")
    // Only 0x0A ends a line; empty lines and a last line without an end count.
    let text = "the in\r\n\na\u{2028}b\u{85}c\u{B}d\n<｜end▁of▁sentence｜>x\n中文🙂\nlast"
    let result = try await runner.succeed("tokenize", model, "--json", input: text)
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines.count == 7 && lines.last == "")
    #expect(lines[1] == "[]")
    #expect(lines[3].hasPrefix("[1,"), "special tokens are recognised")
    let decoded = try await runner.succeed("tokenize", model, "--decode", input: result.output)
    #expect(decoded.output == text + "\n")
    #expect(!result.output.contains("[0,"), "no beginning of sequence is added")
  }

  @Test(arguments: ["smollm", "qwen2", "deepseek-v3", "llama-bpe"]) func tokenizeNeedsNoMoreThanATokenizer(name: String)
    async throws
  {
    try FileManager.default.createDirectory(atPath: runner.folder + "/model", withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: TinyModels.tokenizer(name), toPath: runner.folder + "/model/tokenizer.json")
    let text = "Hello, world! 123\n  def f(x):\r\n\n"
    let result = try await runner.succeed("tokenize", "model", "--json", input: text)
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    for line in lines { #expect(try JSONValue(parsing: Array(line.utf8)).elements != nil) }
    let decoded = try await runner.succeed("tokenize", "model", "--decode", input: result.output)
    #expect(decoded.output == text)
    // Under another name, as `tokenizer train --out` may call it.
    try FileManager.default.copyItem(atPath: TinyModels.tokenizer(name), toPath: runner.folder + "/own.json")
    #expect(try await runner.succeed("tokenize", "own.json", "--json", input: text).output == result.output)
  }

  @Test func tokenizeRendersAChat() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let messages = try runner.file(
      "messages.json", #"[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi é"}]"#)
    let result = try await runner.succeed("tokenize", model, "--chat", messages)
    #expect(try result.keys == ["text", "ids"])
    let text = "system: Be brief.<|end|>user: Hi é<|end|>assistant: "
    #expect(try result.json["text"]?.string == text)
    let ids = try #require(try result.json["ids"]?.elements)
    #expect(ids.filter { $0.integer == TinyModels.endToken }.count == 2)
    let decoded = try await runner.succeed("tokenize", model, "--decode", input: try result.json["ids"]?.serialized() ?? "")
    #expect(decoded.output == text + "\n")
    let beside = try await runner.succeed("tokenize", model + "/tokenizer.json", "--chat", messages)
    #expect(beside.output == result.output)
    let closed = try await runner.succeed("tokenize", model, "--chat", messages, "--no-generation-prompt")
    #expect(try closed.json["text"]?.string == "system: Be brief.<|end|>user: Hi é<|end|>")
  }

  @Test func perplexityCountsTheScoredHalves() async throws {
    let text = try runner.file("text.txt", String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 12))
    let result = try await runner.succeed(
      "perplexity", TinyModels.gguf("qwen2-untied"), text, "--context", "64", "--threads", "2", "--json")
    #expect(try result.keys == ["perplexity", "tokens"])
    #expect(try result.json["perplexity"]?.double ?? 0 > 1)
    // Of each window of 64, the 31 predictions after the first of the second half.
    #expect(try (result.json["tokens"]?.integer ?? 0) % 31 == 0)
    #expect(try result.json["tokens"]?.integer ?? 0 > 0)
    #expect(result.errors.isEmpty)
    let told = try await runner.succeed("perplexity", TinyModels.gguf("qwen2-untied"), text, "--context", "4", "--threads", "2")
    let lines = told.errors.split(separator: "\n")
    #expect(lines.count == 10 && lines.allSatisfy { $0.hasPrefix("window ") }, "\(told.errors)")
  }

  @Test func runPrintsOneObject() async throws {
    let result = try await runner.succeed(
      "run", TinyModels.gguf("deepseek-v3"), "the end", "--temperature", "0", "--seed", "1", "--max-tokens", "16", "--threads",
      "2", "--json")
    #expect(
      try result.keys == [
        "text", "reasoning", "ids", "prompt_tokens", "completion_tokens", "finish_reason", "prefill_tokens_per_second",
        "decode_tokens_per_second",
      ])
    let json = try result.json
    #expect(json["text"]?.string != nil)
    #expect(json["reasoning"]?.string == "")
    let ids = try #require(json["ids"]?.elements)
    #expect(ids.count == json["completion_tokens"]?.integer)
    #expect(ids.count <= 16)
    #expect(["stop", "length"].contains(json["finish_reason"]?.string))
    #expect(json["prompt_tokens"]?.integer ?? 0 > 1)
    #expect(json["prefill_tokens_per_second"]?.double ?? 0 > 0)
    #expect(json["decode_tokens_per_second"]?.double ?? 0 > 0)
  }

  @Test func benchPrintsOneObject() async throws {
    let result = try await runner.succeed(
      "bench", TinyModels.gguf("llama-gqa-tied"), "--prompt", "16", "--generate", "4", "--batch", "1,2", "--repetitions", "1",
      "--threads", "2", "--json")
    let json = try result.json
    for key in ["load_seconds", "prefill_tokens_per_second", "decode_tokens_per_second", "peak_resident_bytes"] {
      #expect(json[key]?.double ?? 0 > 0, "\(key)")
    }
    let batches = try #require(json["batched"]?.elements)
    #expect(batches.map { $0["sequences"]?.integer } == [1, 2])
    for batch in batches { #expect(batch["decode_tokens_per_second"]?.double ?? 0 > 0) }
  }

  /// A million tokens take so long at the measured speed; here the machine costs nothing but its electricity.
  @Test func benchPricesTokens() async throws {
    let arguments = [
      "bench", TinyModels.gguf("llama-gqa-tied"), "--prompt", "16", "--generate", "4", "--batch", "2", "--repetitions", "1",
      "--threads", "2", "--watts", "65", "--power-usage-effectiveness", "1", "--dollars-per-hour", "0",
      "--dollars-per-kilowatt-hour", "0.3",
    ]
    let json = try await runner.run(arguments + ["--json"]).json, serving = try #require(json["serving"])
    func expect(_ price: JSONValue?, speed: JSONValue?) throws {
      let speed = try #require(speed?.double), energy = 1e6 / speed / 3600 * 0.065
      let used = try #require(price?["kilowatt_hours"]?.double), paid = try #require(price?["dollars"]?.double)
      #expect(abs(used / energy - 1) < 1e-9 && abs(paid / (energy * 0.3) - 1) < 1e-9)
    }
    try expect(serving["input_cache_miss"], speed: json["prefill_tokens_per_second"])
    try expect(serving["output"], speed: json["decode_tokens_per_second"])
    try expect(
      serving["batches"]?.elements?.first?["output"], speed: json["batched"]?.elements?.first?["decode_tokens_per_second"])
    #expect(serving["input_cache_hit"]?["dollars"]?.double ?? 0 > 0)
    let asked = try #require(json["prices_per_million"]?.elements?.first)
    #expect(asked["input_cache_hit"]?.double == 0.14 && asked["input_cache_miss"]?.double == 0.55)
    let given = json["assumptions"]?.elements?.filter { $0["kind"]?.string == "given" } ?? []
    #expect(given.compactMap { $0["value"]?.double } == [0, 65, 1, 0.3])
    let text = try await runner.run(arguments).output
    for word in ["input, computed (cache miss)", "output of 2 sequences", "$0.14", "$0.55", "given: --watts"] {
      #expect(text.contains(word), "\(word)")
    }
    let wrong = try await runner.run(["bench", TinyModels.gguf("llama-gqa-tied"), "--watts", "nan"])
    #expect(wrong.status == 1 && wrong.errors.contains("--watts: found nan") && wrong.output.isEmpty)
    let long = try await runner.run(["bench", TinyModels.gguf("llama-gqa-tied"), "--prompt", "\(Int.max)", "--draft", "lookup"])
    #expect(long.status == 1 && long.errors.contains("--prompt: found \(Int.max), expected at most 512"), "\(long.errors)")
  }

  @Test(arguments: [
    (["--prompt", "513"], "--prompt: found 513, expected at most 512"),
    (["--generate", "\(Int.max)"], "--generate: found \(Int.max), expected at most 511"),
    (["--depth", "\(Int.max)", "--generate", "12"], "--depth: found \(Int.max), expected at most 500: the context holds 512"),
    (["--depth", "501", "--generate", "12"], "--depth: found 501, expected at most 500: the context holds 512"),
  ]) func benchNamesWhatExceedsTheContext(arguments: [String], error: String) async throws {
    let prompt = arguments[0] == "--prompt" ? [] : ["--prompt", "16"]
    let result = try await runner.run(["bench", TinyModels.gguf("llama-gqa-tied")] + prompt + arguments)
    #expect(result.status == 1 && result.errors.contains(error) && result.output.isEmpty, "\(result.errors)")
  }

  @Test func showDescribesAModel() async throws {
    let model = TinyModels.gguf("deepseek-v3")
    let json = try await runner.succeed("show", model, "--tensors", "--json").json
    #expect(json["path"]?.string == model)
    #expect(json["parameters"]?.integer ?? 0 > json["active_parameters"]?.integer ?? 0)
    #expect(json["types"]?.members?.isEmpty == false)
    #expect(json["tensors"]?.elements?.isEmpty == false)
    let plain = try await runner.succeed("show", model).output
    let rows = plain.split(separator: "\n")
    // One table: every value begins in the same column, two spaces after the longest name.
    let column = "active parameters".count + 2
    for row in rows {
      #expect(row.dropFirst(column - 1).first == " " && row.dropFirst(column).first != " ", "\(row)")
    }
    #expect(plain.contains(" ×"))
  }
}

import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite struct PlanTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  @Test func v3CostsWhatWasPublished() async throws {
    let json = try await runner.succeed("plan", "deepseek-v3", "--json").json
    #expect(json["parameters"]?["total"]?.integer == 671_026_419_200)
    #expect(json["cache_bytes_per_token_bf16"]?.integer == 70_272)
    #expect(abs((json["training"]?["dollars"]?.double ?? 0) - 5.576e6) < 1)
    #expect(abs((json["training"]?["device_hours"]?.double ?? 0) - 2788e3) < 1)
    let text = try await runner.succeed("plan", "deepseek-v3").output
    for word in ["2,664,000", "119,000", "5,000", "2,788,000", "$5.576M", "70,272 B", "assumed: "] {
      #expect(text.contains(word))
    }
  }

  @Test func servingStandsBesideThePrices() async throws {
    let json = try await runner.succeed("plan", "deepseek-r1", "--serve", "--json").json
    let price = try #require(json["prices_per_million"]?.elements?.first)
    #expect(price["input_cache_hit"]?.double == 0.14 && price["input_cache_miss"]?.double == 0.55)
    #expect(json["serving"]?["output"]?["dollars"]?.double ?? 0 > 0)
    for assumption in json["assumptions"]?.elements ?? [] { #expect(assumption["source"]?.string?.isEmpty == false) }
  }

  /// Where no number of sequences will do, the smallest is taken, and what it lacks is said.
  @Test func aBatchThatWillNotDoIsNamed() async throws {
    let arguments = ["plan", "deepseek-v3", "--serve"], slow = "an answer is slower than the 100K tokens/s"
    func output(_ more: String...) async throws -> String { try await runner.run(arguments + more).output }
    #expect(try await !output().contains("although"))
    let one = try await output("--tokens-per-second", "100000")
    #expect(one.contains("* taken above, although \(slow) of --tokens-per-second; prompts"))
    let both = try await output("--tokens-per-second", "100000", "--positions", "1e8")
    #expect(both.contains("* taken above, although it does not fit and \(slow)"))
  }

  @Test(arguments: [["deepseek-v3"], ["deepseek-r1", "--serve"]]) func aPlotIsWritten(arguments: [String]) async throws {
    let path = runner.folder + "/cost.svg"
    _ = try await runner.run(["plan"] + arguments + ["--plot", path])
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("</svg>"))
  }

  /// The count is that of the files, and a flag takes the place of a preset's number.
  @Test func filesArePlanned() async throws {
    let path = TinyModels.checkpoint("deepseek-v3")
    let json = try await runner.succeed("plan", path, "--tokens", "1M", "--dollars-per-hour", "7", "--json").json
    #expect(json["values_in_files"]?.integer == json["parameters"]?["total"]?.integer)
    let given = json["assumptions"]?.elements?.filter { $0["kind"]?.string == "given" } ?? []
    #expect(given.compactMap { $0["value"]?.double } == [1e6, 7])
    let alone = try await runner.succeed("plan", path + "/config.json", "--json").json
    #expect(alone["parameters"]?["total"]?.integer == json["parameters"]?["total"]?.integer)
  }

  @Test(arguments: [
    (["--tokens=-1"], "--tokens: found -1"), (["--dollars-per-hour=-2"], "--dollars-per-hour: found -2"),
    (["--watts", "nan"], "--watts: found nan"), (["--utilization", "1.5"], "--utilization: found 1.5"),
    (["--hardware", "abacus"], "--hardware: found 'abacus'"), (["--serve", "--count", "1"], "--count: found 1"),
    (["--serve", "--hit-share", "2"], "--hit-share: found 2"), (["--plot", "/no/such/folder/x.svg"], "--plot: "),
    (["--hours-per-trillion", "1e20"], "--hours-per-trillion: found 1e+20"),
    (["--hours-per-trillion", "1e12"], "--hours-per-trillion: found 1000000000000.0"),
    (["--hours-per-trillion", "nan"], "--hours-per-trillion: found nan"),
    (["--hours-per-trillion=5", "--tokens=-1"], "--tokens: found -1"), (["--hit-share", "0.5"], "--hit-share goes with --serve"),
    (["--serve", "--recompute", "layer"], "--recompute is of training"),
  ])
  func wrongNumbersAreNamed(arguments: [String], error: String) async throws {
    let result = try await runner.run(["plan", "deepseek-v3"] + arguments)
    #expect(result.status != 0 && result.errors.contains(error) && result.output.isEmpty)
  }

  /// Recipes/tiny.yaml without its data.
  private func recipe(_ changes: [(String, String)] = []) throws -> String {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    var text = try String(contentsOf: tests.appendingPathComponent("../Recipes/tiny.yaml").standardized, encoding: .utf8)
    let cost = "cost: {peak_flops: 1e11, watts: 33, dollars_per_hour: 2}\non_failure:"
    for (from, to) in [("../docs/*.md, ../*.md", "none/*.md"), ("../runs/tiny", "run"), ("on_failure:", cost)] + changes {
      #expect(text.contains(from))
      text = text.replacing(from, with: to)
    }
    return try runner.file("tiny.yaml", text)
  }

  /// 150 steps of 16 sequences of 128 tokens; nothing is written.
  @Test func recipesArePlanned() async throws {
    let path = try recipe()
    let json = try await runner.succeed("plan", path, "--json").json, training = try #require(json["training"])
    #expect(training["stages"]?.elements?.first?["tokens"]?.double == 307_200)
    #expect(training["hardware"]?.string == "this" && training["devices"]?.integer == 1)
    #expect(json["trained_parameters"]?.double ?? 0 > json["parameters"]?["total"]?.double ?? .infinity)
    #expect(json["notes"]?.elements?.isEmpty == false)
    func given(_ json: JSONValue, _ name: String) -> JSONValue? {
      json["assumptions"]?.elements?.first { $0["name"]?.string == name }
    }
    #expect(given(json, "power of a device")?["value"]?.double == 33)
    #expect(given(json, "power of a device")?["source"]?.string == "cost.watts of the recipe")
    #expect(given(json, "price of a device")?["value"]?.double == 2)
    #expect(!FileManager.default.fileExists(atPath: runner.folder + "/run"))
    let text = try await runner.succeed("plan", path).output
    for word in ["trained by the recipe", "What is not in these numbers", "given: cost.peak_flops of the recipe"] {
      #expect(text.contains(word), "\(word)")
    }
    // Flags go before the recipe.
    let other = try await runner.succeed(
      "plan", path, "--tokens", "1M", "--watts", "44", "--moments", "1", "--moment-format", "bf16", "--json"
    ).json
    #expect(other["training"]?["stages"]?.elements?.first?["tokens"]?.double == 1e6)
    #expect(given(other, "power of a device")?["value"]?.double == 44)
    let trained = try #require(other["trained_parameters"]?.double)
    #expect(other["training_memory_bytes"]?["optimizer_state"]?.double == 2 * trained)
    let rented = try await runner.succeed("plan", path, "--hardware", "a100", "--json").json
    #expect(rented["training"]?["devices"]?.integer == 8 && given(rented, "price of a device")?["value"]?.double == 1.5)
    let served = try await runner.succeed("plan", path, "--serve", "--hardware", "epyc-avx2", "--json").json
    #expect(served["serving"]?["output"]?["dollars"]?.double ?? 0 > 0)
  }

  @Test func wrongRecipesAreNamed() async throws {
    for (change, words) in [
      (("learning_rate: 3e-3", "learning_rat: 3e-3"), ["optimizer.learning_rat", "there is no such key"]),
      (("steps: 150", "steps: 1.5"), ["steps", "found '1.5'"]),
      (("hidden_size: 128", "hidden_size: -1"), ["model.config.hidden_size", "-1"]),
    ] {
      let result = try await runner.run(["plan", try recipe([change])])
      for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
      #expect(result.status == 1 && result.output.isEmpty)
    }
    let tail = "optimizer: {learning_rate: 1e-3}\nsequence_length: 64\nbatch: 2\nsteps: 10\nfolder: run\n"
    // A folder of a model's name that is none is not taken for it.
    try FileManager.default.createDirectory(atPath: runner.folder + "/smollm2", withIntermediateDirectories: true)
    for (model, word) in [
      ("./none", "none is not there"), ("smollm2", "smollm2 is not on this machine"), ("./smollm2", "found no config.json"),
    ] {
      let path = try runner.file("from.yaml", "data: {chats: none.jsonl}\nmodel: {from: \(model)}\n" + tail)
      let result = try await runner.run(["plan", path])
      #expect(result.status == 1 && result.errors.contains("from.yaml") && result.errors.contains("model.from: "))
      #expect(result.errors.contains(word), "\(result.errors)")
    }
    let missing = try await runner.run(["plan", "none.yaml"])
    #expect(missing.status == 1 && missing.errors.contains("none.yaml: cannot be opened"))
  }

  @Test func thisMachineIsMeasured() async throws {
    let json = try await runner.succeed(
      "plan", "r1-distill-qwen-1.5b", "--serve", "--weights", "q4_0", "--hardware", "this", "--json"
    ).json
    let measured = json["assumptions"]?.elements?.filter { $0["kind"]?.string == "measured" } ?? []
    #expect(measured.count >= 3 && measured.allSatisfy { $0["value"]?.double ?? 0 > 0 })
  }

  @Test func aWrongConfigurationIsNamed() async throws {
    let path = runner.folder + "/config.json"
    try
      #"{"model_type":"llama","vocab_size":-3,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8}"#
      .write(toFile: path, atomically: true, encoding: .utf8)
    let result = try await runner.run(["plan", path])
    #expect(result.status != 0 && result.errors.contains("vocab_size") && result.errors.contains("-3"))
  }
}

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
    (["--hours-per-trillion=5", "--tokens=-1"], "--tokens: found -1"),
  ])
  func wrongNumbersAreNamed(arguments: [String], error: String) async throws {
    let result = try await runner.run(["plan", "deepseek-v3"] + arguments)
    #expect(result.status != 0 && result.errors.contains(error) && result.output.isEmpty)
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

import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// With the small real model. Where it is not installed these tests are skipped.
@Suite(.enabled(if: SmallModel.isInstalled, "needs `swiftlet pull smollm2`"), .timeLimit(.minutes(5)))
struct RealModelTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private func run(_ arguments: [String], input: String = "") async throws -> CommandResult {
    let result = try await runner.run(
      arguments, input: Array(input.utf8), environment: ["HF_HOME": SmallModel.home, "SWIFTLET_CACHE": runner.folder + "/packed"])
    #expect(result.status == 0, "\(arguments.joined(separator: " ")): \(result.errors)")
    return result
  }

  @Test func knowsTheCapitalOfFrance() async throws {
    let result = try await run(["run", "smollm2", "What is the capital of France?", "--temperature", "0"])
    #expect(result.output == "The capital of France is Paris.\n")
  }

  @Test func chatsLineByLine() async throws {
    let result = try await run(
      ["chat", "smollm2", "--temperature", "0", "--repetition-penalty", "1", "--max-tokens", "40"],
      input: "What is the capital of France?\nAnd of Italy?\n")
    #expect(result.output == "The capital of France is Paris.\nThe capital of Italy is Rome.\n")
  }

  /// The same tokens with any number of threads, alone and in company.
  @Test func answersRepeat() async throws {
    let options = ["--temperature", "0.8", "--seed", "5", "--max-tokens", "24"]
    let question = "Name three things that are blue."
    var answers: [String] = []
    for threads in ["1", "2", "3"] {
      let result = try await run(["run", "smollm2", question, "--json", "--threads", threads] + options)
      answers.append(try result.json["ids"]?.serialized() ?? "")
    }
    let rows = [question, "What is a cave?", question, "Say hello."].map { "{\"prompt\":\"\($0)\"}\n" }.joined()
    _ = try runner.file("in.jsonl", rows)
    _ = try await run(["run", "smollm2", "--batch", "in.jsonl", "--output", "out.jsonl"] + options)
    for line in try runner.read("out.jsonl").split(separator: "\n").enumerated() where line.offset % 2 == 0 {
      answers.append(try JSONValue(parsing: Array(line.element.utf8))["ids"]?.serialized() ?? "")
    }
    #expect(answers.count == 5 && Set(answers).count == 1, "\(answers)")
  }

  @Test func aModelThatIsCutMeanwhileIsAnError() async throws {
    let path = runner.folder + "/cut.gguf"
    try FileManager.default.copyItem(atPath: SmallModel.path, toPath: path)
    let result = try await runner.run(
      ["run", "cut.gguf", "1, 2, 3, 4, 5,", "--raw", "--temperature", "0", "--max-tokens", "5000"],
      while: { _ in
        try await Task.sleep(for: .seconds(2))
        try #require(truncate(path, 20_000_000) == 0)
      })
    #expect(result.status == 1)
    #expect(result.errors.split(separator: "\n").count == 1 && result.errors.hasPrefix("Error: "))
    #expect(result.errors.contains("cut.gguf: file: was truncated from"), "\(result.errors)")
  }

  /// llama-perplexity (llama.cpp inside llama-cpp-python 0.3.36, `-c 512`) on the same file: 15.9411.
  @Test func perplexityIsLlamas() async throws {
    let license = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../LICENSE").path
    let result = try await run(["perplexity", "smollm2", license, "--context", "512", "--json"]).json
    #expect(result["tokens"]?.integer == 1020)
    let value = try #require(result["perplexity"]?.double)
    #expect(abs(value / 15.9411 - 1) < 0.005)
  }
}

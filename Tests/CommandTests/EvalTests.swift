import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletTestSupport

@Suite(.timeLimit(.minutes(2))) struct EvalTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private func lines(_ text: String) throws -> [JSONValue] {
    try text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
  }

  // MARK: tasks

  @Test func everyFamilyIsListedWithAnExample() async throws {
    let families = try lines(try await runner.succeed("tasks", "--json").output)
    #expect(families.count >= 12)
    for family in families {
      for key in ["family", "summary", "dials", "grader", "question", "answer", "reasoning"] {
        #expect(family[key]?.string?.isEmpty == false, "\(key) of \(family)")
      }
    }
    let text = try await runner.succeed("tasks", "--tasks", "countdown,parity", "--difficulty", "3").output
    #expect(text.contains("countdown  Finds") && text.contains("\n    Is the number of 1s") && !text.contains("sorting"))
  }

  @Test func problemsAndChatsAreExported() async throws {
    let problems = try lines(try await runner.succeed("tasks", "--tasks", "dates,sorting", "--export", "3").output)
    #expect(problems.count == 6 && problems.allSatisfy { $0["question"]?.string != nil && $0["grader"]?.string != nil })
    _ = try await runner.succeed(
      "tasks", "--tasks", "dates", "--export", "4", "--worked", "--split", "train", "--output", "chats.jsonl")
    let chats = try lines(runner.read("chats.jsonl"))
    #expect(chats.count == 4)
    for chat in chats {
      let messages = try #require(chat["messages"]?.elements)
      #expect(messages.map { $0["role"]?.string } == ["user", "assistant"])
      let answer = try #require(messages[1]["content"]?.string)
      #expect(answer.hasPrefix("<think>\n") && answer.hasSuffix("</answer>"))
    }
    let mixed = try lines(
      try await runner.succeed(
        "tasks", "--tasks", "parity,sorting", "--difficulty", "1-3", "--export", "7", "--worked", "--instruction", "", "--shuffle"
      ).output)
    let questions = mixed.compactMap { $0["messages"]?.elements?[0]["content"]?.string }
    #expect(questions.count == 14 && questions.allSatisfy { !$0.contains("<think>") })
    #expect(questions.prefix(7).contains { $0.hasPrefix("Sort") } && questions.prefix(7).contains { $0.contains("1s in") })
    // There are not as many different ones.
    let few = try lines(
      try await runner.succeed("tasks", "--tasks", "base-conversion", "--export", "100000", "--or-fewer").output)
    #expect((100..<100_000).contains(few.count))
    // `data pack` takes them as they are.
    let model = try TinyModels.chat(in: runner.folder)
    _ = try await runner.succeed("data", "pack", "chats.jsonl", "--tokenizer", model, "--out", "packed")
  }

  @Test(arguments: [
    (["tasks", "--tasks", "sums"], "no task 'sums'"), (["tasks", "--difficulty", "11"], "expected 1 to 10"),
    (["tasks", "--worked"], "go with --export"), (["tasks", "--difficulty", "3-1"], "--difficulty"),
    (["tasks", "--export", "2", "--instruction", "x"], "goes with --worked"),
    (["tasks", "--split", "test"], "expected train, held-out, harder"),
    (["eval"], "Name a model"), (["eval", "m", "--api", "http://x"], "one of them"),
    (["eval", "--api", "http://x", "--template", "deepseek-v3"], "leave them out with --api"),
    (["eval", "m", "--data", "a.jsonl", "--split", "harder"], "--data excludes --tasks"),
    (["distill", "m", "--prompts", "a", "--output", "a.jsonl", "--difficulty", "2"], "exclude each other"),
    (["distill", "--api", "http://x", "--output", "a.jsonl", "--context", "64"], "leave them out with --api"),
    (["eval", "m", "--format", "gsm8k"], "goes with --data"), (["eval", "m", "--samples", "0"], "expected 1 to 10000"),
    (["eval", "m", "--api-model", "x"], "go with --api"), (["eval", "m", "--data", "missing.jsonl"], "missing.jsonl"),
    (["eval", "--api", "ftp://x"], "expected an address"), (["eval", "--api", "http://x", "--api-key-env", "NO_KEY"], "NO_KEY"),
  ]) func wrongArgumentsAreNamed(arguments: [String], reason: String) async throws {
    let result = try await runner.run(arguments)
    #expect(result.status != 0 && result.errors.contains(reason), "\(result.errors)")
  }

  // MARK: eval

  private func evaluate(_ model: String, _ further: String...) async throws -> CommandResult {
    let arguments = [
      "eval", model, "--tasks", "parity,arithmetic", "--problems", "4", "--samples", "3", "--max-tokens", "12", "--temperature",
      "1",
    ]
    let result = try await runner.run(arguments + further)
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  @Test func figuresAreTheSameHoweverManyAtOnce() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let one = try await evaluate(model, "--json", "--parallel", "1", "--out", "one.jsonl").json
    // A link stays one.
    try FileManager.default.createSymbolicLink(atPath: runner.folder + "/many.jsonl", withDestinationPath: "linked.jsonl")
    let many = try await evaluate(model, "--json", "--parallel", "9", "--out", "many.jsonl").json
    #expect(one.serialized() == many.serialized())
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: runner.folder + "/many.jsonl") == "linked.jsonl")
    #expect(try runner.read("one.jsonl") == runner.read("linked.jsonl"))
    #expect(one["overall"]?["problems"]?.integer == 8 && one["overall"]?["samples"]?.integer == 3)
    #expect(one["families"]?.members?.map(\.key) == ["parity", "arithmetic"])
    #expect(
      one["overall"]?.members?.map(\.key) == [
        "problems", "samples", "pass@1", "pass@2", "pass@3", "cons@3", "mean_tokens", "mean_reasoning_tokens", "truncated",
        "well_formed",
      ])
    let rows = try lines(runner.read("one.jsonl"))
    #expect(rows.count == 25 && rows.dropFirst().allSatisfy { $0["text"]?.string != nil })
    let other = try await evaluate(model, "--json", "--seed", "8", "--out", "other.jsonl").json
    #expect(other["overall"] != nil)
    #expect(try runner.read("other.jsonl") != runner.read("one.jsonl"))
  }

  @Test func anInterruptedEvaluationGoesOn() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let whole = try await evaluate(model, "--out", "whole.jsonl")
    #expect(whole.output.contains("pass@1 %") && whole.output.contains("cons@3 %") && whole.output.contains("\nall "))
    let text = try runner.read("whole.jsonl"), parts = text.split(separator: "\n")
    _ = try runner.file("torn.jsonl", parts[..<9].joined(separator: "\n") + "\n" + parts[9].prefix(30))
    let resumed = try await evaluate(model, "--out", "torn.jsonl")
    #expect(resumed.errors.contains("8 of 24") && resumed.output == whole.output)
    #expect(try runner.read("torn.jsonl") == text)
    let other = try await runner.run(["eval", model, "--tasks", "parity", "--problems", "4", "--out", "whole.jsonl"])
    #expect(other.status == 1 && other.errors.contains("another evaluation"))
    #expect(try runner.read("whole.jsonl") == text)
  }

  @Test func filesOfProblemsAreAsked() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    _ = try runner.file(
      "gsm.jsonl", "{\"question\": \"1 + 1?\", \"answer\": \"So\\n#### 2\"}\n{\"question\": \"2?\", \"answer\": \"#### 2\"}\n")
    let result = try await runner.succeed(
      "eval", model, "--data", "gsm.jsonl", "--format", "gsm8k", "--max-tokens", "4", "--json"
    ).json
    #expect(result["families"]?["gsm8k"]?["problems"]?.integer == 2)
    #expect(result["overall"]?["truncated"]?["value"]?.double == 1)
    _ = try runner.file("code.jsonl", #"{"prompt": "def f():\n", "entry_point": "f", "test": "def check(c): pass"}"#)
    let refused = try await runner.run(["eval", model, "--data", "code.jsonl", "--format", "humaneval"])
    #expect(refused.status == 1 && refused.errors.contains("--run-python"))
  }

  // MARK: A server

  @Test func aServerIsAskedAgainWhenItIsBusy() async throws {
    let server = try FakeHub(), path = "/v1/chat/completions"
    server.fail("/v1/models", .body(#"{"data": [{"id": "first"}, {"id": "second"}]}"#))
    server.fail(path, .status(429, headers: [("Retry-After", "0")]), count: 2)
    server.fail(path, .status(503, headers: [("Retry-After", "0")]))
    server.fail(
      path,
      .body(
        #"{"choices": [{"message": {"content": "<answer>x</answer>", "reasoning_content": "so"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 9}}"#
      ), count: 4)
    let result = try await runner.run(
      [
        "eval", "--api", server.endpoint, "--api-key-env", "KEY", "--tasks", "parity", "--problems", "4", "--out", "a.jsonl",
        "--json",
      ],
      environment: ["KEY": "secret"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.json["model"]?.string == "first")
    #expect(try result.json["overall"]?["well_formed"]?["value"]?.double == 1)
    #expect(try result.json["overall"]?["mean_tokens"]?["value"]?.double == 9)
    #expect(server.requests(path).count == 7)
    #expect(server.requests("/v1").allSatisfy { $0.headers.first(name: "Authorization") == "Bearer secret" })
    #expect(try !runner.read("a.jsonl").contains("secret"))
    #expect(try runner.read("a.jsonl").contains(#"<think>\nso\n</think>\n<answer>x</answer>"#))
  }

  @Test func aRefusalEndsTheEvaluation() async throws {
    let server = try FakeHub()
    server.fail("/v1/chat/completions", .status(401))
    let result = try await runner.run(
      ["eval", "--api", server.endpoint + "/v1/", "--api-model", "m", "--tasks", "parity", "--problems", "1"])
    #expect(result.status == 1 && result.errors.contains("status 401"))
  }

  /// A server of our own gives the answers that the model gives here.
  @Test func ourServerAnswersAsTheModel() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let here = try await evaluate(model, "--out", "here.jsonl")
    let server = try runner.process(["serve", model, "--port", "0"])
    let log = try runner.file("serve.log", "")
    server.standardError = FileHandle(forWritingAtPath: log)
    try server.run()
    defer { server.terminate() }
    var port: Int?
    for _ in 0..<400 where port == nil {
      try await Task.sleep(for: .milliseconds(50))
      port = try runner.read("serve.log").split(separator: "\n").compactMap {
        try? JSONValue(parsing: String($0))["port"]?.integer
      }.first
    }
    let address = "http://127.0.0.1:\(try #require(port))"
    let there = try await runner.succeed(
      "eval", "--api", address, "--tasks", "parity,arithmetic", "--problems", "4", "--samples", "3", "--max-tokens", "12",
      "--temperature", "1", "--out", "there.jsonl")
    #expect(there.output == here.output)
    #expect(
      try runner.read("there.jsonl").split(separator: "\n").dropFirst()
        == runner.read("here.jsonl").split(separator: "\n").dropFirst())
  }
}

import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletTestSupport

@Suite(.timeLimit(.minutes(2))) struct DistillTests {
  private let runner: CommandRunner
  private let path = "/v1/chat/completions"

  init() throws { runner = try CommandRunner() }

  private func lines(_ name: String) throws -> [JSONValue] {
    try runner.read(name).split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
  }

  private func body(_ content: String, reasoning: String? = nil, reason: String = "stop") -> FakeHub.Fault {
    let message: JSONValue = [
      "content": .string(content), "reasoning_content": reasoning.map { .string($0) } ?? .null,
    ]
    let json: JSONValue = [
      "choices": [["message": message, "finish_reason": .string(reason)]], "usage": ["completion_tokens": 7],
    ]
    return .body(json.serialized())
  }

  /// Problems whose answer is 2.
  private func problems(_ count: Int) throws {
    let rows = (0..<count).map { #"{"id": "p\#($0)", "question": "Say two, in the way number \#($0 * 37)", "answer": "2"}"# }
    _ = try runner.file("problems.jsonl", rows.joined(separator: "\n"))
  }

  private func distill(_ server: FakeHub, _ further: String...) async throws -> CommandResult {
    try await runner.run(
      [
        "distill", "--api", server.endpoint, "--api-model", "m", "--problems", "problems.jsonl", "--concurrency", "1", "--output",
        "data.jsonl",
      ] + further)
  }

  /// A teacher that is busy, refuses, says nothing, is cut and is wrong; then the same command asks for what failed, and nothing else.
  @Test func nothingIsLostAndNothingAskedTwice() async throws {
    try problems(8)
    let server = try FakeHub()
    server.fail(path, .status(429, headers: [("Retry-After", "0")]))
    server.fail(path, .status(503, headers: [("Retry-After", "0")]))
    server.fail(path, body("<answer>2</answer>"))
    server.fail(path, body(""))
    server.fail(path, body("so the", reason: "length"))
    server.fail(path, .status(400))
    server.fail(path, body("It is 3"))
    server.fail(path, body("<answer>2</answer>", reasoning: "One and one."))
    server.fail(path, .body(#"{"choices": []}"#))
    server.fail(path, body("The answer is 2."))
    let result = try await distill(server, "--on-error", "skip", "--json", "--teacher-licence", "MIT", "--prompt-licence", "CC0")
    #expect(result.status == 0, "\(result.errors)")
    for kind in ["429", "503"] {
      #expect(result.errors.contains("\(path): status \(kind): {\"error\":\"fault\"}; it is tried 7 times"), "\(result.errors)")
    }
    let card = try result.json
    #expect(card["counts"]?.serialized() == #"{"asked":8,"answered":6,"kept":3}"#)
    #expect(card["dropped"]?.serialized() == #"{"failed":2,"cut":1,"empty":1,"wrong":1}"#)
    #expect(card["teacher"]?["licence"]?.string == "MIT (as given)" && card["prompts"]?["licence"]?.string == "CC0 (as given)")
    #expect(server.requests(path).count == 10)
    let rows = try lines("data.jsonl")
    #expect(rows.map { $0["id"]?.string } == ["p0", "p5", "p7"])
    #expect(rows[1]["messages"]?.elements?.last?["content"]?.string == "<think>\nOne and one.\n</think>\n<answer>2</answer>")
    #expect(try runner.read("data.card.json") == card.serialized() + "\n")
    #expect(try runner.read("data.card.md").contains("| dropped: empty | 1 |"))
    // `data pack` takes it as it is.
    let model = try TinyModels.chat(in: runner.folder)
    _ = try await runner.succeed("data", "pack", "data.jsonl", "--tokenizer", model, "--out", "packed")

    server.fail(path, body("2"), count: 2)
    let again = try await distill(server, "--on-error", "skip", "--json")
    #expect(try again.json["counts"]?.serialized() == #"{"asked":8,"answered":8,"kept":5}"#)
    #expect(server.requests(path).count == 12)
    // Another choice asks nothing.
    let all = try await distill(server, "--keep", "all")
    #expect(
      all.status == 0 && all.output.hasPrefix("6 of 8 answers kept; dropped: 1 cut, 1 empty\n"), "\(all.output)\(all.errors)")
    #expect(server.requests(path).count == 12)
    // Other prompts are another run.
    try problems(7)
    #expect(try await distill(server).errors.contains("another evaluation"))
  }

  /// Half an answer of a server that was stopped is asked for again; one that a filter ended is cut.
  @Test func answersThatTheServerDidNotFinishAreNotKept() async throws {
    try problems(2)
    let server = try FakeHub()
    server.fail(path, body("<answer>2</answer> and", reason: "insufficient_system_resource"))
    server.fail(path, body("<answer>2</answer>"))
    server.fail(path, body("<answer>2</answer> or", reason: "content_filter"))
    let result = try await distill(server, "--json")
    #expect(result.status == 0, "\(result.errors)")
    let card = try result.json
    #expect(card["counts"]?.serialized() == #"{"asked":2,"answered":2,"kept":1}"#)
    #expect(card["dropped"]?.serialized() == #"{"cut":1}"# && server.requests(path).count == 3)
    #expect(try lines("data.jsonl").map { $0["messages"]?.elements?.last?["content"]?.string } == ["<answer>2</answer>"])
  }

  @Test func brokenProblemsStopOrAreLeftOut() async throws {
    _ = try runner.file("problems.jsonl", "{\"question\": \"Say two\", \"answer\": \"2\"}\n{\"question\": \"Say three\"}\n{\n")
    let server = try FakeHub()
    let stopped = try await distill(server)
    #expect(stopped.status == 1 && stopped.errors.contains("problems.jsonl, line"), "\(stopped.errors)")
    server.fail(path, body("2"))
    let result = try await distill(server, "--skip-broken", "--json")
    #expect(result.status == 0 && result.errors.contains("left out 2 broken lines"), "\(result.errors)")
    #expect(result.errors.contains("left out line 2: answer is missing") && server.requests(path).count == 1)
    #expect(try result.json["prompts"]?["broken lines left out"]?.string == "2")
  }

  @Test func whatIsReadIsNotWrittenOver() async throws {
    try problems(2)
    let before = try runner.read("problems.jsonl")
    for option in ["--problems", "--prompts", "--against"] {
      let result = try await runner.run(["distill", "m", option, "problems.jsonl", "--output", "./problems.jsonl"])
      #expect(result.status == 1 && result.errors.contains("choose another name"), "\(result.errors)")
    }
    _ = try runner.file("a.answers.jsonl", before)
    let answers = try await runner.run(["distill", "m", "--problems", "a.answers.jsonl", "--output", "a.jsonl"])
    #expect(answers.status == 1 && answers.errors.contains("a.answers.jsonl, which is read"), "\(answers.errors)")
    #expect(try runner.read("problems.jsonl") == before && runner.read("a.answers.jsonl") == before)
  }

  @Test func anErrorStopsUnlessItIsToBeSkipped() async throws {
    try problems(4)
    let server = try FakeHub()
    server.fail(path, body("2"))
    server.fail(path, .status(422))
    let result = try await distill(server)
    #expect(result.status == 1 && result.errors.contains("status 422"), "\(result.errors)")
    #expect(try lines("data.answers.jsonl").count == 2)
    // Whoever is not let in is not asked again and again.
    server.fail(path, .status(401))
    let refused = try await distill(server, "--on-error", "skip")
    #expect(refused.status == 1 && refused.errors.contains("status 401") && server.requests(path).count == 3)
    server.fail(path, body("2"), count: 3)
    #expect(try await distill(server).status == 0)
    #expect(try lines("data.jsonl").count == 4 && server.requests(path).count == 6)
  }

  /// What every request says stands in the file of answers too.
  @Test func aServerIsToldHowLongToThink() async throws {
    try problems(1)
    let server = try FakeHub()
    server.fail(path, body("2"))
    let result = try await distill(server, "--think", "64", "--think-min", "8", "--json")
    let thinking = #"{"type":"enabled","budget_tokens":64,"min_tokens":8}"#
    #expect(try result.json["sampling"]?["thinking"]?.string == thinking, "\(result.errors)")
    #expect(try lines("data.answers.jsonl")[0]["evaluation"]?["thinking"]?.serialized() == thinking)
    #expect(try await distill(server).errors.contains("another evaluation"))
  }

  @Test func aTeacherThatFailsAlwaysEndsTheRun() async throws {
    try problems(40)
    let server = try FakeHub()
    server.fail(path, .status(400), count: 100)
    let result = try await distill(server, "--on-error", "skip")
    #expect(result.status == 1 && result.errors.contains("20 answers in a row failed"), "\(result.errors)")
    #expect(server.requests(path).count < 25)
  }

  /// Killed at any time, it goes on: what was answered is not asked again.
  @Test func aKilledRunGoesOn() async throws {
    try problems(30)
    let server = try FakeHub()
    server.fail(path, body("2"), count: 100)
    let arguments = [
      "distill", "--api", server.endpoint, "--api-model", "m", "--problems", "problems.jsonl", "--concurrency", "2", "--output",
      "data.jsonl",
    ]
    var kept = 0
    for round in 1...2 {
      let process = try runner.process(arguments + ["--requests-per-minute", "600"])
      process.standardError = FileHandle.nullDevice
      let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
      process.terminationHandler = { _ in continuation.finish() }
      try process.run()
      for _ in 0..<400 where kept < 4 * round {
        try await Task.sleep(for: .milliseconds(20))
        kept = ((try? lines("data.answers.jsonl").count) ?? 1) - 1
      }
      kill(process.processIdentifier, SIGKILL)
      for await _ in ended {}
      #expect((4..<30).contains(kept))
    }
    let before = server.requests(path).count
    kept = try runner.read("data.answers.jsonl").split(separator: "\n", omittingEmptySubsequences: false).count - 2
    let result = try await runner.run(arguments + ["--json"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(try result.json["counts"]?["kept"]?.integer == 30)
    #expect(server.requests(path).count == before + 30 - kept)
    // In flight at a kill are at most two.
    #expect(server.requests(path).count <= 34)
  }

  /// Ctrl-C ends the programs of answers that are being graded.
  @Test func interruptsEndPrograms() async throws {
    let tools = runner.folder + "/tools"
    try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
    _ = try runner.file("tools/python3", "#!/bin/sh\necho $$ > '\(tools)/pid'\nexec sleep 100\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tools + "/python3")
    _ = try runner.file("code.jsonl", #"{"prompt": "def f():\n", "entry_point": "f", "test": "def check(c): pass"}"#)
    let server = try FakeHub()
    server.fail(path, body("```python\ndef f():\n    return 1\n```"))
    let arguments = [
      "distill", "--api", server.endpoint, "--api-model", "m", "--problems", "code.jsonl", "--format", "humaneval",
      "--run-python", "--output", "data.jsonl",
    ]
    var program: pid_t?
    let result = try await runner.run(arguments, environment: ["PATH": tools + ":/usr/bin:/bin"]) { process in
      for _ in 0..<600 where program == nil {
        try await Task.sleep(for: .milliseconds(20))
        program = (try? runner.read("tools/pid")).flatMap { pid_t($0.dropLast()) }
      }
      process.interrupt()
    }
    #expect(result.status == 130 && result.output.isEmpty, "\(result)")
    #expect(try kill(#require(program), 0) == -1)
  }

  /// A model here: the same data each time, whatever is in progress at once.
  @Test func aModelHereIsATeacher() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    for (name, concurrency) in [("one.jsonl", "1"), ("many.jsonl", "9")] {
      _ = try await runner.run(
        [
          "distill", model, "--tasks", "parity,arithmetic", "--count", "4", "--samples", "3", "--keep", "all", "--max-tokens",
          "12",
          "--temperature", "1", "--concurrency", concurrency, "--output", name, "--against", "tasks:held-out",
        ])
    }
    #expect(try runner.read("one.answers.jsonl") == runner.read("many.answers.jsonl") && lines("one.answers.jsonl").count == 25)
    #expect(try runner.read("one.jsonl") == runner.read("many.jsonl"))
    #expect(try lines("one.card.json")[0]["prompts"]?["difficulty"]?.string == "1")
    // Nothing may be left.
    let limited = try await runner.run(
      [
        "distill", model, "--tasks", "parity", "--count", "3", "--max-tokens", "4", "--keep", "all", "--output", "cut.jsonl",
      ])
    #expect(limited.status == 1 && limited.errors.contains("No answer is left"), "\(limited.errors)")
    #expect(try lines("cut.answers.jsonl").count == 4 && lines("cut.card.json")[0]["dropped"]?["cut"]?.integer == 3)
    _ = try runner.file("prompts.txt", "Hello\n{\"prompt\": \"Bye\"}\n{\n")
    let broken = try await runner.run(["distill", model, "--prompts", "prompts.txt", "--output", "p.jsonl"])
    #expect(broken.status == 1 && broken.errors.contains("prompts.txt, line 3"), "\(broken.errors)")
  }

  @Test(arguments: [
    (["distill", "--output", "a.jsonl"], "Name a model"), (["distill", "m"], "--output"),
    (["distill", "m", "--output", "a.txt"], "ends in .jsonl"),
    (["distill", "m", "--output", "a.jsonl", "--tasks", "parity", "--prompts", "x"], "exclude each other"),
    (["distill", "m", "--output", "a.jsonl", "--prompts", "x", "--keep", "right"], "no answer to compare"),
    (["distill", "m", "--output", "a.jsonl", "--skip-broken"], "goes with --problems"),
    (["distill", "m", "--output", "a.jsonl", "--against", "tasks:train"], "expected tasks:held-out"),
    (["distill", "m", "--output", "a.jsonl", "--near-duplicates", "2"], "expected 0.0 to 1.0"),
    (["distill", "m", "--output", "a.jsonl", "--choose", "best"], "expected first, shortest, random"),
    (["distill", "m", "--output", "a.jsonl", "--requests-per-minute", "6"], "go with --api"),
    (["distill", "m", "--output", "a.jsonl", "--against", "missing.txt"], "missing.txt"),
  ]) func wrongArgumentsAreNamed(arguments: [String], reason: String) async throws {
    let result = try await runner.run(arguments)
    #expect(result.status != 0 && result.errors.contains(reason), "\(result.errors)")
  }
}

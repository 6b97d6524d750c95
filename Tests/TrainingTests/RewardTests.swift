import Foundation
import SwiftletTasks
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// What answers are worth, and programs of a user's that decide it.
@Suite struct RewardTests {
  private let folder: DataFolder

  init() throws { folder = try DataFolder() }

  private func answer(_ text: String, tokens: Int = 10, language: Problem.Language = .english) -> RewardedAnswer {
    RewardedAnswer(
      problem: EvaluationProblem(
        id: "a/1", group: "a",
        problem: Problem(question: "What is 2 + 2?", answer: "4", grader: .number, language: language)),
      text: text, tokenCount: tokens, isTruncated: false)
  }

  private func rewards(_ settings: [RewardSetting], isStrict: Bool = true) -> Rewards {
    Rewards(settings: settings, isStrict: isStrict, maximumTokens: 100, folder: folder.path, pool: WorkerPool(threadCount: 2))
  }

  @Test func partsAreWeighed() throws {
    let rewards = rewards([
      RewardSetting(kind: .accuracy, weight: 1), RewardSetting(kind: .format, weight: 0.5),
      RewardSetting(kind: .length(buffer: 20), weight: 2),
    ])
    let scores = try rewards.scores(
      [
        answer("<think>2 and 2</think>\n<answer>4</answer>"), answer("<think>2 and 2</think>\n<answer>5</answer>", tokens: 90),
        answer("<answer>4.0</answer>", tokens: 80), answer("4", tokens: 100), answer("<think>4", tokens: 81),
      ], isCancelled: { false })
    #expect(scores.parts == [[1, 1, 0], [0, 1, -0.5], [1, 0, 0], [0, 0, -1], [0, 0, -0.05]])
    #expect(scores.parts.map(rewards.total) == [1.5, -0.5, 1, -2, -0.1])
    let lenient = self.rewards([RewardSetting(kind: .accuracy, weight: 1)], isStrict: false)
    #expect(try lenient.scores([answer("It is 4")], isCancelled: { false }).parts == [[1]])
  }

  /// Core-hours of a run have the work of programs that reward its answers.
  @Test func workOfProgramsCounts() throws {
    var clock = RunClock()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done"]
    try process.run()
    process.waitUntilExit()
    #expect(clock.lap().processor > 0.02)
  }

  /// Programs of the small language, each of which may take its time: in their order, and not to the end when nobody waits for them.
  @Test func programsAreGradedOnSeveralThreads() throws {
    let rewards = rewards([RewardSetting(kind: .accuracy, weight: 1)])
    let answers = (0..<20).map { number -> RewardedAnswer in
      var answer = self.answer("<answer>print(\(number % 3) + 1)</answer>")
      answer.problem.problem = Problem(
        question: "Print 2.", answer: "2", grader: .program(tests: [ProgramTest(inputs: [], output: "2")]))
      return answer
    }
    let scores = try rewards.scores(answers, isCancelled: { false })
    #expect(scores.parts == (0..<20).map { [$0 % 3 == 1 ? 1 : 0] })
    var asked = 0
    #expect(throws: CancellationError.self) {
      try rewards.scores(answers) {
        asked += 1
        return asked > 2
      }
    }
    #expect(asked == 3)
  }

  @Test func languageIsTheShareOfLetters() {
    #expect(Rewards.languageShare("four, 4!", .english) == 1)
    #expect(Rewards.languageShare("ab深度", .english) == 0.5)
    #expect(Rewards.languageShare("ab深度求索", .chinese) == 4.0 / 6)
    #expect(Rewards.languageShare("1 + 1", .english) == 1)
    #expect(Rewards.languageShare("größer", .english) == 1)
    #expect(Rewards.languageShare("привет", .english) == 0)
    #expect(Rewards.languageShare("<think>深度</think><answer>4</answer>", .chinese) == 1)
  }

  private func values(
    _ script: String, _ lines: [String], onError: RewardCommand.ErrorAction = .zero, seconds: Double = 10, limit: Int = 8
  ) throws -> (values: [Double], failures: [String]) {
    let path = try folder.write("reward.sh", "#!/bin/sh\n" + script)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let command = RewardCommand(
      arguments: ["./reward.sh"], seconds: seconds, outputBytes: 4096, onError: onError, failureLimit: limit)
    let result = try RewardProcess(command, folder: folder.path).values(lines, isCancelled: { false })
    return (result.values, result.failures)
  }

  @Test func commandsAreAsked() throws {
    let (values, failures) = try values("while read -r line; do echo ${#line}; done", ["a", "bcd", "ef"])
    #expect(values == [1, 3, 2] && failures.isEmpty)
    // What an answer is told as.
    let path = try folder.write("show.sh", "#!/bin/sh\ncat > seen.jsonl; echo 0.5\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let command = RewardCommand(arguments: ["./show.sh"], seconds: 10, outputBytes: 4096, onError: .stop, failureLimit: 8)
    let rewards = rewards([RewardSetting(kind: .command(command), weight: 2)])
    let scores = try rewards.scores([answer("four")], isCancelled: { false })
    #expect(scores.parts.map(rewards.total) == [1])
    let seen = try String(contentsOfFile: folder.file("seen.jsonl"), encoding: .utf8)
    #expect(
      seen
        == #"{"id":"a/1","family":"a","question":"What is 2 + 2?","answer":"4","response":"four","tokens":10,"truncated":false}"#
        + "\n"
    )
  }

  /// One bad answer among others: the others keep their numbers, whatever the program does with it.
  @Test(arguments: [
    ("kill -9 $$", "was ended by signal 9"), ("exit 3", "ended with status 3"), ("sleep 60", "took more than"),
    ("echo nonsense", "printed 'nonsense', expected a number"), ("echo 1; echo 2", "lines for 4 answers"),
    ("head -c 9999 /dev/zero | tr '\\0' y", "printed more than 4096 bytes"), ("exit 0", "printed 1 line for 4 answers"),
    ("echo nan", "printed 'nan'"), ("echo 1e308", "printed '1e308', expected a number"),
    ("continue", "printed 3 lines for 4 answers"),
    ("echo it is broken >&2; exit 1", "(it said: it is broken)"),
  ])
  func failuresCostOneAnswer(_ action: String, _ reason: String) throws {
    let script = "while read -r line; do if [ $line = bad ]; then \(action); else echo ${#line}; fi; done"
    let (values, failures) = try values(script, ["a", "bad", "bc", "def"], seconds: action == "sleep 60" ? 0.5 : 10)
    #expect(values == [1, 0, 2, 3], "\(failures)")
    #expect(failures.contains { $0.contains(reason) }, "\(failures)")
    #expect(failures.contains { $0.contains("answer 2 of 4: bad") }, "\(failures)")
  }

  /// A recipe may be named by a path from here, and lines may end as on Windows.
  @Test func pathsAreThoseOfTheRecipe() throws {
    let path = try folder.write("reward.sh", "#!/bin/sh\nwhile read -r line; do printf '%s\\r\\n' ${#line}; done; echo\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let command = RewardCommand(arguments: ["./reward.sh"], seconds: 10, outputBytes: 64, onError: .stop, failureLimit: 1)
    let here = FileManager.default.currentDirectoryPath.split(separator: "/").count
    let relative = String(repeating: "../", count: here) + folder.path.dropFirst() + "/."
    #expect(try RewardProcess(command, folder: relative).values(["a", "bc"], isCancelled: { false }).values == [1, 2])
  }

  /// A program that prints nothing before its end does not tell where it died.
  @Test func unprintedNumbersAreAskedForAgain() throws {
    let script = "out=; while read -r line; do [ $line = bad ] && exit 1; out=\"$out${#line}\n\"; done; printf \"$out\""
    let (values, failures) = try values(script, ["a", "bcd", "bad", "ef"])
    #expect(values == [1, 3, 0, 2] && failures.count == 2, "\(failures)")
  }

  /// An answer whose number was there before the program failed is not followed by one that nobody asked about.
  @Test func failuresBehindNumbersCostNoAnswer() throws {
    let script = "while read -r line; do [ $line = bad ] && exit 1; echo ${#line}; done; exit 3"
    let (values, failures) = try values(script, ["a", "bad", "bc", "def"])
    #expect(values == [1, 0, 2, 3], "\(failures)")
    let error = try #require(throws: RewardError.self) {
      _ = try self.values(script, ["bad"] + (0..<20).map { "\($0)" }, limit: 5)
    }
    #expect(error.description.contains("failed 6 times behind its numbers; at last it ended with status 3"), "\(error)")
  }

  @Test func failuresStopWhereTheyShall() throws {
    let stopped = try #require(throws: RewardError.self) { _ = try values("exit 1", ["a", "b"], onError: .stop) }
    #expect(stopped.description.contains("ended with status 1"))
    let all = try #require(throws: RewardError.self) { _ = try values("exit 1", ["a", "b", "c", "d"]) }
    #expect(all.description.contains("failed at 4 answers of one call"), "\(all)")
    let many = try #require(throws: RewardError.self) {
      _ = try values("exit 1", (0..<100).map { "\($0)" }, limit: 5)
    }
    #expect(many.description.contains("failed at 5 answers"), "\(many)")
  }

  @Test func programsThatAreNotThereAreNamed() throws {
    for (program, reason) in [("./none.sh", "is no program"), ("swiftlet-no-such-program", "found no program")] {
      let command = RewardCommand(arguments: [program], seconds: 1, outputBytes: 64, onError: .zero, failureLimit: 1)
      let error = try #require(throws: RewardError.self) { _ = try RewardProcess(command, folder: folder.path).executable() }
      #expect(error.description.contains(reason), "\(error)")
    }
  }

  /// Nothing of a program is left when it was ended, nor of what it started.
  @Test func whatCommandsStartEndsWithThem() throws {
    let script = "sleep 77.25 & echo $! > child; sleep 60"
    _ = try? values(script, ["a"], seconds: 0.5)
    let child = try #require(
      Int32(try String(contentsOfFile: folder.file("child"), encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
    for _ in 0..<100 where kill(child, 0) == 0 { usleep(20_000) }
    #expect(kill(child, 0) != 0)
  }
}

import Foundation
import SwiftletJSON
import Synchronization
import Testing

@testable import SwiftletTasks

@Suite struct EvaluationTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-tasks-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  private func evaluation(samples: Int = 3, concurrency: Int = 4, seed: UInt64 = 1) throws -> Evaluation {
    let problems = try [Parity() as any TaskFamily, Arithmetic()].flatMap { try TaskSet($0, difficulty: 1).problems(5) }
    return try Evaluation(problems: problems, samples: samples, seed: seed, concurrency: concurrency)
  }

  /// A model that knows the answers in two cases of three.
  private func model(_ evaluation: Evaluation) -> @Sendable (String, UInt64) async throws -> ModelAnswer {
    let answers = Dictionary(uniqueKeysWithValues: evaluation.problems.map { ($0.problem.prompt(), $0.problem.workedAnswer) })
    return { prompt, seed in
      try await Task.sleep(for: .microseconds(Int(seed % 300)))
      let isRight = seed % 3 > 0
      return ModelAnswer(text: isRight ? answers[prompt] ?? "" : "<think>\nno", tokens: Int(seed % 100), isTruncated: !isRight)
    }
  }

  @Test func answersAreInOrderHoweverManyAtOnce() async throws {
    let one = try evaluation(concurrency: 1), many = try evaluation(concurrency: 16)
    let first = try await one.run(ask: model(one)), second = try await many.run(ask: model(many))
    #expect(first == second && first.count == 30)
    #expect(first.map(\.sample) == (0..<10).flatMap { _ in [0, 1, 2] })
    #expect(try await evaluation(seed: 2).run(ask: model(one)) != first)
    let (overall, groups) = one.summaries(first)
    #expect(groups.map(\.name) == ["parity", "arithmetic"] && overall.problems == 10)
    #expect(abs(overall.passAt1.value - Double(first.filter(\.grade.isCorrect).count) / 30) < 1e-12)
    #expect(abs(overall.truncated.value - (1 - overall.passAt1.value)) < 1e-12)
  }

  /// What a server says of its tokens is summed up, whatever it is.
  @Test func tokenCountsAreBounded() async throws {
    let evaluation = try evaluation(), counts = [Int.max, .min, 7]
    let answers = try await evaluation.run(ask: { _, seed in
      let count = counts[Int(seed % 3)]
      return ModelAnswer(text: "5", tokens: count, isTruncated: false, reasoningTokens: count)
    })
    #expect(Set(answers.map(\.answer.tokens)).isSubset(of: [1 << 30, 0, 7]))
    let summary = evaluation.summaries(answers).overall
    #expect((0...Double(1 << 30)).contains(summary.tokens.value))
    #expect((0...Double(1 << 30)).contains(summary.reasoningTokens.value))
    let line =
      #"{"id": "a", "family": "f", "sample": 0, "correct": true, "well_formed": true, "truncated": false, "text": "", "tokens": "#
      + "9223372036854775807}"
    #expect(GradedAnswer(try JSONValue(parsing: line))?.answer.tokens == 1 << 30)
  }

  private struct Fault: Error {}

  @Test func anInterruptedEvaluationGoesOn() async throws {
    let evaluation = try evaluation(), path = folder.appendingPathComponent("answers.jsonl").path
    let settings: JSONValue = ["model": "m"]
    let whole = try await evaluation.run(file: path, settings: settings, ask: model(evaluation))
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.split(separator: "\n").count == 31 && text.hasPrefix("{\"evaluation\":{"))
    // As a killed process leaves it: some lines, in any order, and a torn one.
    let lines = text.split(separator: "\n")
    try (lines[0] + "\n" + lines[7] + "\n" + lines[3] + "\n" + lines[9].prefix(40)).write(
      toFile: path, atomically: true, encoding: .utf8)
    let asked = Mutex(0), inner = model(evaluation)
    let resumed = try await evaluation.run(file: path, settings: settings) { prompt, seed in
      asked.withLock { $0 += 1 }
      return try await inner(prompt, seed)
    }
    #expect(asked.withLock { $0 } == 28 && resumed == whole)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    // One that failed keeps what it had.
    try FileManager.default.removeItem(atPath: path)
    let count = Mutex(0)
    await #expect(throws: Fault.self) {
      try await evaluation.run(file: path, settings: settings) { prompt, seed in
        if count.withLock({
          $0 += 1; return $0 > 12
        }) {
          throw Fault()
        }
        return try await inner(prompt, seed)
      }
    }
    #expect(try await evaluation.run(file: path, settings: settings, ask: model(evaluation)) == whole)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
  }

  @Test func filesOfOtherEvaluationsAreLeftAlone() async throws {
    let evaluation = try evaluation(), path = folder.appendingPathComponent("answers.jsonl").path
    _ = try await evaluation.run(file: path, settings: ["model": "m"], ask: model(evaluation))
    let before = try String(contentsOfFile: path, encoding: .utf8)
    func refusal(_ other: Evaluation, _ settings: JSONValue) async -> TaskError? {
      do {
        _ = try await other.run(file: path, settings: settings) { _, _ in throw Fault() }
        return nil
      } catch { return error as? TaskError }
    }
    #expect(await refusal(evaluation, ["model": "n"]) == .otherEvaluation(file: path, field: "model"))
    #expect(try await refusal(self.evaluation(samples: 4), ["model": "m"]) == .otherEvaluation(file: path, field: "samples"))
    #expect(try await refusal(self.evaluation(seed: 9), ["model": "m"]) == .otherEvaluation(file: path, field: "answers_seed"))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    for text in ["notes", "notes\n", "{}\n", "{\"evaluation\":{}}\nnotes\n"] {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      #expect(await refusal(evaluation, ["model": "m"]) != nil)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
    await #expect(throws: TaskError.self) { try await evaluation.run(file: folder.path) { _, _ in throw Fault() } }
  }

  @Test func answersAreReadAsTheyWereWritten() async throws {
    let evaluation = try evaluation(samples: 1)
    for answer in try await evaluation.run(ask: model(evaluation)) {
      #expect(try GradedAnswer(JSONValue(parsing: answer.json.serialized())) == answer)
    }
  }

  @Test func seedsAreOfOneAnswerAndFitServers() {
    let seeds = (0..<100).flatMap { sample in ["a", "b"].map { Evaluation.seed(5, problem: $0, sample: sample) } }
    #expect(Set(seeds).count == 200 && seeds.allSatisfy { $0 < 1 << 31 })
  }

  @Test func promptsHaveTheInstruction() throws {
    let problem = Problem(question: "1 + 1?", answer: "2", grader: .number, reasoning: "1 + 1 = 2")
    #expect(problem.prompt().hasPrefix("1 + 1?\n\nThink first between <think>"))
    #expect(problem.prompt(instruction: "") == "1 + 1?" && problem.prompt(instruction: "Go.") == "1 + 1?\n\nGo.")
    #expect(problem.workedAnswer == "<think>\n1 + 1 = 2\n</think>\n<answer>2</answer>")
    let worked = EvaluationProblem(id: "i", group: "g", problem: problem).worked()
    #expect(worked["messages"]?.elements?.map { $0["role"]?.string } == ["user", "assistant"])
  }
}

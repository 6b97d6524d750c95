import Testing

@testable import SwiftletTasks

/// Ways of writing answers, problems and programs that were once read wrongly.
@Suite struct ReadingTests {
  private func isRight(_ response: String, _ answer: String, _ grader: Grader = .number) throws -> Bool {
    try Problem(question: "?", answer: answer, grader: grader).grade(response, extraction: .lenient).isCorrect
  }

  @Test func fractionsInSentencesAreWhole() throws {
    #expect(try isRight("So the difference is -\\frac{1}{3}.", "-1/3"))
    #expect(try isRight("It is \\(\\dfrac{2}{4}\\) of it", "0.5"))
    #expect(try !isRight("So the difference is -\\frac{1}{3}.", "3"))
    #expect(try isRight("Of \\frac{1}{3} and 4 it is 4", "4"))
  }

  @Test func signsBetweenDigitsAreNoSeparators() throws {
    for text in ["5!", "2\\3", "{5}", "5{"] { #expect(NumberText.canonical(text) == nil, "\(text)") }
    for text in ["1{,}234", "1\\,234", "1,\\!234", "1,234", "1 234", "1_234"] {
      #expect(NumberText.canonical(text) == "1234", "\(text)")
    }
  }

  @Test func boxesWithoutBracesAreRead() throws {
    #expect(AnswerExtraction.lastBoxed("so $\\boxed 5$ it is") == "5" && AnswerExtraction.lastBoxed("\\boxed 12.\nbye") == "12")
    #expect(AnswerExtraction.lastBoxed("\\boxed 5, then \\boxed{6}") == "6" && AnswerExtraction.lastBoxed("\\boxed ") == nil)
    #expect(try isRight("It is \\boxed 5", "5", .mathematics))
  }

  @Test(arguments: [
    (#"{"question": "q", "answer": "many", "grader": "number"}"#, "cannot read"),
    (#"{"question": "q", "answer": "maybe", "grader": "boolean"}"#, "cannot read"),
    (#"{"question": "q", "answer": "...", "grader": "exact"}"#, "cannot read"),
    (#"{"question": "q", "answer": "1 + 1", "grader": "countdown", "numbers": [1, 2], "target": 3}"#, "cannot read"),
    (#"{"question": "q", "answer": "5", "language": "fr"}"#, "expected one of en, zh"),
    (#"{"question": "q", "answer": "5", "language": 3}"#, "expected one of en, zh"),
    (#"{"question": "q", "answer": "p", "grader": "program", "tests": [{"inputs": [1], "output": "1"}]}"#, "expected an object"),
  ]) func problemsThatNobodyCouldSolveAreRefused(line: String, reason: String) {
    do {
      _ = try ProblemFile.problems(Array(line.utf8), name: "file", format: .jsonl)
      Issue.record("read: \(line)")
    } catch {
      #expect("\(error)".contains(reason) && "\(error)".hasPrefix("file, line 1: "), "\(error)")
    }
  }

  @Test(arguments: ["lambda = 1\nprint(lambda)", "def class(): pass", "for None in range(3): pass", "print(is)"])
  func wordsOfPythonAreNoNames(source: String) { #expect(throws: ProgramError.self) { try Program(source).run() } }
}

import Testing

@testable import SwiftletTasks

/// Whatever an answer is, grading takes little time and does not end the process.
@Suite(.timeLimit(.minutes(1))) struct HostileTests {
  static let graders: [Grader] = [
    .exact, .number, .boolean, .choice, .list, .mathematics, .countdown(numbers: [3, 5, 7], target: 38),
    .program(tests: [ProgramTest(inputs: [.init(name: "n", value: 3)], output: "6")]),
  ]

  private func grade(_ text: String, _ graders: [Grader] = graders, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for grader in graders {
      let problem = Problem(question: "", answer: "38", grader: grader)
      for extraction in AnswerExtraction.allCases {
        let start = ContinuousClock.now
        let grade = try problem.grade(text, extraction: extraction)
        #expect(!grade.isCorrect, "\(grader) \(text.prefix(80))", sourceLocation: sourceLocation)
        #expect(start.duration(to: .now) < .seconds(3), "\(grader) \(text.prefix(80))", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func longAnswersAreNoProblem() throws {
    let million = 1 << 20
    for unit in [
      "9", "(", "[", "{", "-", "1+", "<answer>", "<think>", "</answer>", "<answer", "\\boxed{", "\\frac{", "\"", "é", "\u{301}",
      "1,",
    ] {
      let text = String(repeating: unit, count: 2 * million / unit.utf8.count)
      // Longer answers than a grader takes never get to it, so one stands for all.
      try grade(text, [.number])
      try grade("<answer>" + text + "</answer>", [.mathematics])
      try grade("\\boxed{" + text + "}", [.mathematics])
    }
  }

  @Test func answersAtTheLimitAreNoProblem() throws {
    for unit in [
      "9", "(", "[", "-", "1+", "1*", "\"", "\\frac{1}{", "\\text{ ", "\\boxed{", "1,", " ", ".", "\\sqrt", "$", "e9", "not ",
      "x=", "7/", "\u{301}",
    ] {
      for length in [4000, 60_000] {
        let text = String(repeating: unit, count: length / unit.utf8.count)
        try grade("<answer>\(text)</answer>")
        try grade("<answer>\(text)38 1</answer>")
      }
    }
    try grade("<answer>" + String(repeating: "(", count: 2000) + "5" + String(repeating: ")", count: 1999) + "</answer>")
  }

  @Test func hostileProgramsEnd() throws {
    let tests = [ProgramTest(inputs: [.init(name: "n", value: 3)], output: "6")]
    for source in [
      "while True:\n    n += 1", "while 1: pass", "def f(n):\n    return f(n + 1)\nprint(f(1))",
      "xs = [1]\nwhile True:\n    xs = xs + xs", "xs = [1]\nwhile True:\n    xs += xs",
      "xs = [1]\nfor x in xs: xs += [x]",
      "xs = [1]\nfor x in xs:\n    xs.append(x)", "while True:\n    print(n)", "x = 2\nwhile True:\n    x = x * x",
      "print(2 ** 64)",
      "print(n // 0)", "print(1 % 0)", "x = -9223372036854775807 - 1\nprint(x // -1)",
      "x = -9223372036854775807 - 1\nprint(abs(x), -x)",
      "print(" + String(repeating: "(", count: 30_000), "x = " + String(repeating: "-", count: 30_000) + "1",
      "x = " + String(repeating: "not ", count: 10_000) + "True", "x = 1" + String(repeating: " + 1", count: 10_000),
      (0..<2000).map { String(repeating: " ", count: $0) + "if 1:" }.joined(separator: "\n"), "print(xs[5])", "f(1)", "return",
      "break",
      "def f(): break\nf()", "for i in range(0, 9, 0): pass", "for i in range(9223372036854775806, 9223372036854775807, 5): pass",
      "xs = [1]\nxs[99] = 1", "xs = [1]\nprint(xs[-9223372036854775807 - 1])", "import os", "print(\"6\")",
      "x = 99999999999999999999",
      "def f(x):\n  print(6)", "\tif 1:\n  pass", "print(min([]))", "print(sum(1))", "print(len(5))", "xs = [[1]]", "x = ",
      "a, b = 1", "range(5) = 3", "x == 1 = 2", "for i in 5: pass", "else: pass", "print(1 < 2 < 3)", "\u{0}", "é = 1",
    ] {
      let problem = Problem(question: "", answer: "", grader: .program(tests: tests)), start = ContinuousClock.now
      #expect(try !problem.grade("<answer>\(source)</answer>").isCorrect, "\(source.prefix(60))")
      #expect(start.duration(to: .now) < .seconds(5), "\(source.prefix(60))")
    }
  }

  /// What is too long is not made: to print all of the lists would take more steps than there are.
  @Test func outputEndsAtItsBound() throws {
    let manyLists = Array(repeating: "xs", count: 400).joined(separator: ", ")
    let start = "xs = [7]\nfor i in range(16): xs += xs\n"
    let almost = "for i in range(32764): print(7)\n"
    for source in [
      start + "print(\(manyLists))", start + "print(xs)", almost + "print([11, 22])", almost + "print(7777777, 1)",
      almost + "print(1234567)\nprint()", almost + "print(7777777)\nprint([])", almost + "print(77777777)",
    ] {
      let error = try #require(throws: ProgramError.self) { _ = try Program(source).run() }
      #expect(error.reason == "more output than 65536 bytes", "\(source.prefix(60)): \(error)")
    }
    for end in ["print([11, 2])", "print(7777777)", "print(True, 77)", "print(1234, 5)\nprint()"] {
      #expect(try Program(almost + end).run().utf8.count == 65_536, "\(end)")
    }
  }

  @Test func votesTakeLittleTime() {
    for unit in ["```json\n", "{\n", "}\n", "[{\n", "]\n[\n", "{\"a\":1}\n", "```json\n{}\n```\n", " \n", "{\"a\":"] {
      let start = ContinuousClock.now
      for length in [60_000, 1 << 20] { _ = Ballot(response: String(repeating: unit, count: length / unit.utf8.count)) }
      #expect(start.duration(to: .now) < .seconds(5), "\(unit)")
    }
  }

  @Test func garbageIsWrong() throws {
    var random = TaskRandom("garbage")
    let pieces = [
      "<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}", "{", "(", ")", "+", "-", "*", "/", "=", "3", "5", "7",
      "1e9", ".", ",",
      " ", "\n", "####", "The answer is", "答案是", "\\frac", "$", "%", "é", "\u{0}", "\u{202E}", "👩‍👩‍👧", "٣", "if", "print(",
      "for i in range(9):\n ", "n",
      "while True:\n  ", "not", "[", "]", "'", "\"", "```python\n", "```", "def f(n): return ",
    ]
    for _ in 0..<1500 {
      let text = (0..<random.integer(0...40)).map { _ in random.element(pieces) }.joined()
      for grader in Self.graders {
        for extraction in AnswerExtraction.allCases {
          _ = try Problem(question: "", answer: "41", grader: grader).grade(text, extraction: extraction)
        }
      }
    }
    for _ in 0..<500 {
      let bytes = (0..<random.integer(0...300)).map { _ in UInt8(random.integer(0...255)) }
      try grade("<answer>" + String(decoding: bytes, as: UTF8.self) + "</answer>")
    }
  }
}

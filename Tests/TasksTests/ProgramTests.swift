import Testing

@testable import SwiftletTasks

@Suite struct ProgramTests {
  /// See make_program_fixture.py.
  @Test func programsPrintWhatPythonPrints() throws {
    for row in try Fixture.json("programs.json").elements ?? [] {
      let source = try #require(row["source"]?.string), output = try #require(row["output"]?.string)
      #expect(try Program(source).run() == output, "\(source)")
    }
  }

  @Test(arguments: [
    ("x = 1\ny = x +\n", 2, "expected a value"), ("if x\n    pass", 1, "expected ':'"), ("print(x)", 1, "'x' has no value"),
    ("x = 5\nprint(x // 0)", 2, "division by zero"),
    ("def f():\n    return x\n    x = 1\nx = 2\nprint(f())", 2, "'x' has no value"),
    ("x = 1.5", 1, "no integer"), ("x = 'a'", 1, "not part of the language"), ("xs = [1]\nprint(xs < xs)", 2, "'<' between"),
    ("sum = 1\nprint(sum([1]))", 2, "no function here"), ("def print(x): pass", 1, "built-in"),
    ("for i in range(2):\n    def f(): pass", 2, "def outside"),
    ("print(1 and 2)", 1, "expected a boolean"), ("x = 1\n  y = 2", 2, "expected a statement"),
    ("xs = [1]\nxs += 1", 2, "'+=' between a list and a number"), ("x = 1\nx += [1]", 2, "'+=' between a number and a list"),
    ("def f():\n    xs += [1]\nxs = [1]\nf()", 2, "'xs' has no value"),
    ("xs = [1]\nwhile True: xs += xs", 2, "lists of more than 100000 numbers"),
  ]) func errorsNameTheLine(source: String, line: Int, reason: String) {
    do {
      _ = try Program(source).run()
      Issue.record("ran: \(source)")
    } catch {
      #expect(error.line == line && error.reason.contains(reason), "\(source): \(error)")
    }
  }

  @Test func fencesAndInputsAreUnderstood() throws {
    let tests = [1, 4].map { ProgramTest(inputs: [.init(name: "n", value: $0)], output: "\($0 * 2)") }
    let problem = Problem(question: "", answer: "print(n * 2)", grader: .program(tests: tests))
    #expect(try problem.grade("<answer>print(n + n)</answer>").isCorrect)
    #expect(try problem.grade("<answer>\nHere:\n```python\nprint(n * 2)\n```\nDone.</answer>").isCorrect)
    #expect(try problem.grade("So:\n```python\nm = n\nprint(m * 2)\n```\nIt doubles n.", extraction: .lenient).isCorrect)
    #expect(try !problem.grade("So:\n```python\nprint(n * 2)\n```").isCorrect)
    #expect(try !problem.grade("<answer>print(2)</answer>").isCorrect)
    #expect(try !problem.grade("<answer>print(n * 2)\nprint(n)</answer>").isCorrect)
  }

  @Test func tracesSayWhatHappens() throws {
    let (output, events) = try Program("x = 1\nxs = [x]\nxs.append(2)\nx += xs[1]\nxs += [x]\nprint(x, xs)").trace()
    #expect(output == "3 [1, 2, 3]\n")
    #expect(events == ["x is 1", "xs is [1]", "xs is [1, 2]", "x is 3", "xs is [1, 2, 3]", "3 [1, 2, 3] is printed"])
  }

  /// Every program that the families make is of the language and ends.
  @Test func madeProgramsRun() throws {
    var random = TaskRandom("programs")
    for difficulty in 1...12 {
      for _ in 0..<60 {
        let output = ProgramOutput().problem(difficulty: difficulty, random: &random)
        #expect(!output.answer.isEmpty, "\(output.question)")
        let written = ProgramWriting().problem(difficulty: difficulty, random: &random)
        guard case .program(let tests) = written.grader else { continue }
        #expect(tests.allSatisfy { !$0.output.isEmpty }, "\(written.answer)")
      }
    }
  }
}

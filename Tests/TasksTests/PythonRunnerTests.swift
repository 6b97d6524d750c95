import Foundation
import Testing

@testable import SwiftletTasks

private enum Python {
  static let path = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }
}

@Suite(.enabled(if: Python.path != nil), .timeLimit(.minutes(1))) struct PythonRunnerTests {
  private func passes(_ answer: String, seconds: Int = 2) throws -> Bool {
    let runner = PythonRunner(executable: try #require(Python.path), seconds: seconds, memoryBytes: 1 << 29, outputBytes: 1 << 16)
    let problem = try ProblemFile.problems(Array(ImporterTests.humanEvalRow.utf8), name: "row", format: .humaneval)[0].problem
    return try problem.grade("<answer>\(answer)</answer>", python: runner).isCorrect
  }

  @Test func rightFunctionsPass() throws {
    #expect(try passes("def add(a, b):\n    return a + b"))
    #expect(try passes("    return a + b\n"))
    #expect(try passes("    return add_all([a, b])\n\ndef add_all(numbers):\n    return sum(numbers)"))
    #expect(try passes("def add (a, b):\n    return a + b"))
    #expect(try passes("Here it is:\n```python\nimport math\ndef add(a, b):\n    return math.floor(a + b)\n```"))
    #expect(try passes("def add(a, b):\n    print('x' * 100)\n    return a + b"))
  }

  @Test func wrongAndEarlyEndsDoNotPass() throws {
    for answer in [
      "def add(a, b):\n    return a - b", "def add(a, b)", "", "import sys\nsys.exit(0)\ndef add(a, b):\n    return 3",
      "def add(a, b):\n    import os\n    os._exit(0)", "def add(a, b):\n    raise SystemExit", "def check(c): pass", "pass",
    ] { #expect(try !passes(answer), "\(answer)") }
  }

  @Test func limitsHold() throws {
    let start = ContinuousClock.now
    for answer in [
      "def add(a, b):\n    while True: pass", "def add(a, b):\n    import time\n    time.sleep(100)",
      "def add(a, b):\n    x = 'x' * (1 << 31)\n    return a + b", "def add(a, b):\n    while True: print('x' * 1000)",
      "def add(a, b):\n    import os\n    os.fork()\n    while True: pass",
    ] { #expect(try !passes(answer, seconds: 1), "\(answer)") }
    #expect(start.duration(to: .now) < .seconds(25))
  }

  @Test func aMissingPythonIsAnError() throws {
    let runner = PythonRunner(executable: "/nowhere/python3")
    #expect(try runner.run("print(1)").status == 127)
  }
}

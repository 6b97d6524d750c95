import SwiftletJSON
import Testing

@testable import SwiftletTasks

/// Files of the published forms, written here.
@Suite struct ImporterTests {
  private func read(_ text: String, _ format: ProblemFileFormat = .jsonl) throws -> [EvaluationProblem] {
    try ProblemFile.problems(Array(text.utf8), name: "file", format: format)
  }

  private func reason(_ text: String, _ format: ProblemFileFormat = .jsonl) -> String {
    do {
      _ = try read(text, format)
      return "read"
    } catch {
      return "\(error)"
    }
  }

  @Test func ownFilesAreReadAndWritten() throws {
    let problems = try TaskFamilies.all.flatMap { try TaskSet($0, difficulty: 2).problems(3) }
    let text = problems.map { $0.json.serialized() + "\n" }.joined()
    let again = try read(text)
    #expect(again.map { $0.json.serialized() } == problems.map { $0.json.serialized() })
    #expect(again.map(\.problem.grader) == problems.map(\.problem.grader))
    let short = try read(
      "{\"question\": \"1 + 1\", \"answer\": 2}\n\r\n{\"question\": \"Sky?\", \"answer\": \"blue\", \"grader\": \"exact\"}")
    #expect(short.map(\.problem.grader) == [.number, .exact] && short.map(\.id) == ["problems/1", "problems/2"])
  }

  @Test func byteOrderMarksAreNoText() throws {
    let mark = "\u{FEFF}"
    #expect(try read(mark + #"{"question": "1 + 1", "answer": 2}"#).map(\.problem.question) == ["1 + 1"])
    #expect(try read(mark + "Which?,a,b,c,d,B", .mmlu)[0].problem.question.hasPrefix("Which?"))
  }

  @Test func gsm8k() throws {
    let problems = try read(
      """
      {"question": "Natalia sold clips to 48 friends, and half as many later. How many in all?", "answer": "She sold 48/2 = <<48/2=24>>24 clips later.\\nIn all 48+24 = <<48+24=72>>72.\\n#### 72"}
      {"question": "Much?", "answer": "#### 1,000"}
      """, .gsm8k)
    #expect(problems.map(\.problem.answer) == ["72", "1000"] && problems.map(\.problem.grader) == [.number, .number])
    #expect(problems[0].problem.reasoning == "She sold 48/2 = 24 clips later.\nIn all 48+24 = 72.")
    #expect(reason("{\"question\": \"a\", \"answer\": \"5\"}", .gsm8k) == "file, line 1: answer has no number behind ####")
  }

  @Test func math() throws {
    let published =
      #"{"problem": "Halve $1$.", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{\\frac{1}{2}}$."}"#
    let problems = try read(published, .math)
    #expect(problems[0].problem.answer == "\\frac{1}{2}" && problems[0].group == "math Algebra")
    #expect(try problems[0].problem.grade("So $\\boxed{0.5}$.", extraction: .lenient).isCorrect)
    let five =
      #"{"problem": "a", "solution": "b", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)", "subject": "Precalculus", "level": 2, "unique_id": "test/precalculus/807.json"}"#
    #expect(try read(five, .math)[0].id == "test/precalculus/807.json")
    #expect(try read(five, .math)[0].problem.grade("<answer>(3,\\frac{\\pi}{2})</answer>").isCorrect)
    #expect(reason(#"{"problem": "a", "solution": "none"}"#, .math).contains("no \\boxed"))
  }

  @Test func aime() throws {
    let problems = try read(
      """
      {"ID": "2024-I-1", "Problem": "Walk", "Solution": "so", "Answer": 204}
      {"id": 60, "problem": "Else", "solution": "so", "answer": "025", "url": "u"}
      {"question": "Third", "answer": "70"}
      {"Question": "Which angle?", "Answer": "336^\\\\circ", "problem_idx": 5}
      """, .aime)
    #expect(problems.map(\.problem.answer) == ["204", "25", "70", "336"])
    #expect(problems.map(\.id) == ["aime/2024-I-1", "aime/60", "aime/3", "aime/5"])
    #expect(try problems[3].problem.grade("<answer>$336^{\\circ}$</answer>").isCorrect)
    #expect(reason(#"{"problem": "a", "answer": "1000"}"#, .aime).contains("0 to 999"))
  }

  @Test func mmlu() throws {
    let csv = "Find the degree of Q(sqrt(2)) over Q.,0,4,2,6,C\r\n\"Statement 1 | a, b\nsaid \"\"so\"\"\",\"x, y\",B2,C2,D2,A\n"
    let problems = try read(csv, .mmlu)
    #expect(problems.map(\.problem.answer) == ["C", "A"] && problems.map(\.problem.grader) == [.choice, .choice])
    #expect(problems[1].problem.question.hasPrefix("Statement 1 | a, b\nsaid \"so\"\nA. x, y\nB. B2\n"))
    let rows = try read(#"{"question": "q", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 3}"#, .mmlu)
    #expect(rows[0].problem.answer == "D" && rows[0].group == "mmlu anatomy")
    #expect(try rows[0].problem.grade("The answer is (D).", extraction: .lenient).isCorrect)
    #expect(reason("a,b,c\n", .mmlu) == "file, line 1: found 3 columns, expected 6: question, A, B, C, D, answer")
    #expect(reason("q,a,b,c,d,A\nq,a,b,c,d,E\n", .mmlu).hasPrefix("file, line 2: answer: found 'E'"))
    #expect(reason("\"q,a,b\n", .mmlu).contains("no end"))
  }

  @Test func humanEval() throws {
    let problem = try read(Self.humanEvalRow, .humaneval)[0]
    #expect(problem.id == "HumanEval/7" && problem.problem.question.contains("def add(a, b):"))
    guard case .python(let test) = problem.problem.grader else { return #expect(Bool(false)) }
    #expect(test.entryPoint == "add")
    #expect(throws: TaskError.pythonNotAllowed(problem: "add")) { try problem.problem.grade("<answer>x</answer>") }
    #expect(throws: TaskError.pythonNotAllowed(problem: "HumanEval/7")) { try Evaluation(problems: [problem]) }
    #expect(reason(#"{"prompt": "", "test": "", "entry_point": "a b"}"#, .humaneval).contains("name of a function"))
  }

  static let humanEvalRow =
    #"{"task_id": "HumanEval/7", "prompt": "import math\n\n\ndef add(a, b):\n    \"\"\"Adds.\"\"\"\n", "entry_point": "add", "canonical_solution": "    return a + b\n", "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == math.floor(0.5)\n"}"#

  @Test func brokenFilesAreNamed() {
    #expect(reason("") == "file: has no problems")
    #expect(reason("\n \n") == "file: has no problems")
    #expect(reason("{\"question\": \"a\"}") == "file, line 1: answer is missing; found question")
    #expect(reason("{\"question\": \"a\", \"answer\": \"b\"}\nnot JSON").hasPrefix("file, line 2: is no JSON"))
    #expect(reason("{\"question\": \"a\", \"answer\": [1]}") == "file, line 1: answer: found a array, expected a text")
    #expect(reason("{\"question\": \"a\", \"answer\": \"b\", \"grader\": \"best\"}").contains("expected one of exact, number"))
    #expect(reason("{\"question\": \"a\", \"answer\": \"b\", \"grader\": \"countdown\"}").contains("needs numbers"))
    #expect(reason("{\"question\": \"a\", \"answer\": \"b\", \"grader\": \"program\"}").contains("needs tests"))
    #expect(
      reason("{\"id\": \"x\", \"question\": \"a\", \"answer\": \"b\"}\n{\"id\": \"x\", \"question\": \"c\", \"answer\": \"b\"}")
        .hasPrefix("file, line 2: two problems have the id 'x'"))
    #expect(throws: TaskError.self) { try ProblemFile.problems([0x1F, 0x8B, 0xFF, 0x00], name: "file.gz") }
  }

  /// Broken lines, and second problems of one id, are left out and told where that is asked for; all others stay.
  @Test func brokenLinesAreLeftOut() throws {
    let text = [
      #"{"id": "x", "question": "a", "answer": "b"}"#, #"{"id": "x", "question": "c", "answer": "b"}"#, "{",
      #"{"question": "d", "answer": "e"}"#, #"{"question": "f"}"#, #"{"question": "g", "answer": "h"}"#,
    ].joined(separator: "\n")
    var broken: [String] = []
    let problems = try ProblemFile.problems(Array(text.utf8), name: "file") { broken.append("\($0)") }
    #expect(problems.map(\.id) == ["x", "problems/2", "problems/3"] && problems.map(\.problem.question) == ["a", "d", "g"])
    #expect(broken.count == 3 && zip(broken.sorted(), [2, 3, 5]).allSatisfy { $0.hasPrefix("file, line \($1): ") }, "\(broken)")
  }
}

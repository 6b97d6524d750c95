import SwiftletJSON

/// Python functions with tests (Chen et al. 2021), as in github.com/openai/human-eval.
enum HumanEval {
  static func problem(_ row: JSONValue, number: Int) throws(FieldError) -> EvaluationProblem {
    let test = PythonTest(
      prompt: try row.text("prompt"), test: try row.text("test"), entryPoint: try row.text("entry_point"))
    let isName =
      !test.entryPoint.isEmpty
      && test.entryPoint.utf8.allSatisfy { byte in
        (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
      }
    guard isName else { throw FieldError("entry_point: found '\(test.entryPoint.prefix(40))', expected the name of a function") }
    let problem = Problem(
      question: "Complete this Python function. Answer with the whole function.\n\n```python\n\(test.prompt)```",
      answer: row["canonical_solution"]?.string ?? "", grader: .python(test))
    return EvaluationProblem(id: row["task_id"]?.string ?? "HumanEval/\(number - 1)", group: "humaneval", problem: problem)
  }
}

import SwiftletJSON

/// Competition mathematics (Hendrycks et al. 2021), as published and as in MATH-500.
enum MATH {
  static func problem(_ row: JSONValue, number: Int) throws(FieldError) -> EvaluationProblem {
    let solution = try row.text("solution")
    let given = row["answer"] == nil ? nil : try row.text("answer")
    guard let answer = given ?? AnswerExtraction.lastBoxed(solution) else {
      throw FieldError("solution has no \\boxed{…}, and there is no answer")
    }
    let problem = Problem(question: try row.text("problem"), answer: answer, grader: .mathematics, reasoning: solution)
    let subject = row["subject"]?.string ?? row["type"]?.string
    let id = row["unique_id"]?.string ?? "math/\(number)"
    return EvaluationProblem(id: id, group: subject.map { "math \($0)" } ?? "math", problem: problem)
  }
}

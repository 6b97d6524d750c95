import SwiftletJSON

/// Grade-school mathematics (Cobbe et al. 2021), as in github.com/openai/grade-school-math.
enum GSM8K {
  static func problem(_ row: JSONValue, number: Int) throws(FieldError) -> EvaluationProblem {
    let answer = try row.text("answer")
    guard let mark = answer.ranges(of: "####").last, let result = NumberText.canonical(String(answer[mark.upperBound...])) else {
      throw FieldError("answer has no number behind ####")
    }
    let problem = Problem(
      question: try row.text("question"), answer: result, grader: .number, reasoning: withoutNotes(answer[..<mark.lowerBound]))
    return EvaluationProblem(id: "gsm8k/\(number)", group: "gsm8k", problem: problem)
  }

  /// Without the notes of the calculator, such as `<<48/2=24>>`.
  private static func withoutNotes(_ text: Substring) -> String {
    var result = "", rest = text
    while let open = rest.firstRange(of: "<<"), let close = rest[open.upperBound...].firstRange(of: ">>") {
      result += rest[..<open.lowerBound]
      rest = rest[close.upperBound...]
    }
    return String((result + rest)[...].trimmed(\.isWhitespace))
  }
}

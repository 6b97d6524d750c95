import SwiftletJSON

/// The American Invitational Mathematics Examination, whose answers are integers from 0 to 999. The published copies name their
/// members differently: `problem`, `Problem`, `question` or `Question`; `answer` or `Answer`; `id`, `ID` or `problem_idx`. One of them
/// has an answer with its degree sign.
enum AIME {
  static func problem(_ row: JSONValue, number: Int) throws(FieldError) -> EvaluationProblem {
    func text(_ keys: [String]) throws(FieldError) -> String {
      for key in keys where row[key] != nil { return try row.text(key) }
      return try row.text(keys[0])
    }
    let answer = try text(["answer", "Answer"])
    guard let value = NumberText.canonical(answer), let integer = Int(value), (0...999).contains(integer) else {
      throw FieldError("answer: found '\(answer.prefix(40))', expected an integer from 0 to 999")
    }
    let id = (try? text(["id", "ID", "problem_idx"])) ?? "\(number)"
    let problem = Problem(
      question: try text(["problem", "Problem", "question", "Question"]), answer: "\(integer)", grader: .number,
      reasoning: (try? text(["solution", "Solution"])) ?? "")
    return EvaluationProblem(id: "aime/\(id)", group: "aime", problem: problem)
  }
}

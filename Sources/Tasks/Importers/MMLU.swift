import SwiftletJSON

/// Multiple choice over 57 subjects (Hendrycks et al. 2021): rows of question, four choices and a letter, or objects with
/// `choices` and the place of the right one from 0.
enum MMLU {
  static func problem(_ row: [String], number: Int) throws(FieldError) -> EvaluationProblem {
    guard row.count == 6 else { throw FieldError("found \(row.count) columns, expected 6: question, A, B, C, D, answer") }
    return try problem(row[0], Array(row[1...4]), answer: row[5], group: "mmlu", number)
  }

  static func problem(_ row: JSONValue, number: Int) throws(FieldError) -> EvaluationProblem {
    guard let choices = row["choices"]?.elements, case let texts = choices.compactMap(\.string), texts.count == choices.count
    else {
      throw FieldError("choices: expected a list of texts")
    }
    let subject = row["subject"]?.string ?? ""
    var answer = try row.text("answer")
    if let place = row["answer"]?.integer, (0..<min(10, texts.count)).contains(place) { answer = letter(place) }
    return try problem(
      try row.text("question"), texts, answer: answer, group: subject.isEmpty ? "mmlu" : "mmlu \(subject)", number)
  }

  private static func letter(_ place: Int) -> String { String(UnicodeScalar(UInt8(ascii: "A") + UInt8(place))) }

  private static func problem(
    _ question: String, _ choices: [String], answer: String, group: String, _ number: Int
  ) throws(FieldError) -> EvaluationProblem {
    guard (2...10).contains(choices.count) else { throw FieldError("found \(choices.count) choices, expected 2 to 10") }
    let letters = choices.indices.map(letter), right = String(answer[...].trimmed(\.isWhitespace))
    guard letters.contains(right) else {
      throw FieldError("answer: found '\(answer.prefix(40))', expected a letter from A to \(letters.last ?? "")")
    }
    let lines = zip(letters, choices).map { "\($0). \($1)" }.joined(separator: "\n")
    let problem = Problem(
      question: "\(question)\n\(lines)\nAnswer with the letter of the right choice.", answer: right, grader: .choice)
    return EvaluationProblem(id: "mmlu/\(number)", group: group, problem: problem)
  }
}

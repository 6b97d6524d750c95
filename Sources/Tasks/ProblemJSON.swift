public import SwiftletJSON

/// A problem as a line of a file: `{"id", "family", "question", "answer", "grader", …, "language", "reasoning"}`. `question` and
/// `answer` must be there. The other members of graders that need more: `numbers` and `target`; `tests`; `prompt`, `test` and
/// `entry_point`.
extension EvaluationProblem {
  public var json: JSONValue {
    var members = [
      JSONMember(key: "id", value: .string(id)), JSONMember(key: "family", value: .string(group)),
      JSONMember(key: "question", value: .string(problem.question)), JSONMember(key: "answer", value: .string(problem.answer)),
      JSONMember(key: "grader", value: .string(problem.grader.name)),
    ]
    members += problem.grader.parameters
    members.append(JSONMember(key: "language", value: .string(problem.language.rawValue)))
    if !problem.reasoning.isEmpty { members.append(JSONMember(key: "reasoning", value: .string(problem.reasoning))) }
    return .object(members)
  }

  /// The problem as a chat to fine-tune on: the question, and its answer with the thought.
  public func worked(instruction: String? = nil) -> JSONValue {
    [
      "messages": [
        ["role": "user", "content": .string(problem.prompt(instruction: instruction))],
        ["role": "assistant", "content": .string(problem.workedAnswer)],
      ]
    ]
  }

  /// - Throws: `FieldError` that names the member.
  init(_ json: JSONValue, number: Int) throws(FieldError) {
    let grader = try Grader(json)
    let language = try Self.language(json)
    try grader.check(answer: try json.text("answer"))
    problem = Problem(
      question: try json.text("question"), answer: try json.text("answer"), grader: grader,
      reasoning: json["reasoning"]?.string ?? "", language: language)
    group = json["family"]?.string ?? "problems"
    id = json["id"]?.string ?? "\(group)/\(number)"
  }

  /// English unless said otherwise.
  private static func language(_ json: JSONValue) throws(FieldError) -> Problem.Language {
    guard let value = json["language"], !value.isNull else { return .english }
    guard let language = value.string.flatMap({ Problem.Language(rawValue: $0) }) else {
      throw FieldError(
        "language: found \(value.serialized().prefix(40)), expected one of "
          + Problem.Language.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return language
  }
}

/// What is wrong with a member of a line.
struct FieldError: Error {
  var reason: String

  init(_ reason: String) { self.reason = reason }
}

extension JSONValue {
  /// A text, or a number as it is written.
  func text(_ key: String) throws(FieldError) -> String {
    switch self[key] {
    case .string(let text)?: return text
    case .integer(let value)?: return "\(value)"
    case .number(let value)?: return "\(value)"
    case let other?: throw FieldError("\(key): found a \(other.typeName), expected a text")
    case nil:
      throw FieldError("\(key) is missing; found \(members?.prefix(8).map(\.key).joined(separator: ", ") ?? "a \(typeName)")")
    }
  }
}

extension Grader {
  static let names = ["exact", "number", "boolean", "choice", "list", "mathematics", "countdown", "program", "python"]

  public var name: String {
    switch self {
    case .exact: "exact"
    case .number: "number"
    case .boolean: "boolean"
    case .choice: "choice"
    case .list: "list"
    case .mathematics: "mathematics"
    case .countdown: "countdown"
    case .program: "program"
    case .python: "python"
    }
  }

  /// - Throws: `FieldError` for a right answer that it could not read, so that nothing would be right.
  fileprivate func check(answer: String) throws(FieldError) {
    switch self {
    case .program, .python: return
    case .countdown(_, let target):
      guard canonical(answer) != "\(target)" else { return }
    default:
      guard canonical(answer)?.isEmpty ?? true else { return }
    }
    throw FieldError("answer: found '\(answer.prefix(40))', which the grader \(name) cannot read as a right answer")
  }

  /// The members beside `grader`.
  var parameters: [JSONMember] {
    switch self {
    case .countdown(let numbers, let target):
      [
        JSONMember(key: "numbers", value: .array(numbers.map { .integer($0) })),
        JSONMember(key: "target", value: .integer(target)),
      ]
    case .program(let tests):
      [
        JSONMember(
          key: "tests",
          value: .array(
            tests.map { test in
              let inputs = test.inputs.map { JSONMember(key: $0.name, value: .integer($0.value)) }
              return ["inputs": .object(inputs), "output": .string(test.output)]
            }))
      ]
    case .python(let test):
      [
        JSONMember(key: "prompt", value: .string(test.prompt)), JSONMember(key: "test", value: .string(test.test)),
        JSONMember(key: "entry_point", value: .string(test.entryPoint)),
      ]
    default: []
    }
  }

  /// The grader of a line. Without one, numbers are compared as numbers and all else as text.
  init(_ json: JSONValue) throws(FieldError) {
    switch json["grader"]?.string {
    case nil where json["grader"] == nil:
      self = NumberText.canonical(try json.text("answer")) == nil ? .exact : .number
    case "exact": self = .exact
    case "number": self = .number
    case "boolean": self = .boolean
    case "choice": self = .choice
    case "list": self = .list
    case "mathematics": self = .mathematics
    case "countdown":
      guard let numbers = json["numbers"]?.elements, let target = json["target"]?.integer,
        case let integers = numbers.compactMap(\.integer), integers.count == numbers.count, !integers.isEmpty
      else { throw FieldError("grader countdown needs numbers, a list of integers, and target, an integer") }
      self = .countdown(numbers: integers, target: target)
    case "program":
      guard let tests = json["tests"]?.elements, !tests.isEmpty else {
        throw FieldError("grader program needs tests, a list of {\"inputs\": {\"n\": 1}, \"output\": \"…\"}")
      }
      var all: [ProgramTest] = []
      for test in tests {
        var inputs: [ProgramTest.Input] = []
        guard let members = test["inputs"].map({ $0.members }) ?? [] else {
          throw FieldError("tests: inputs: found a \(test["inputs"]?.typeName ?? "null"), expected an object of integers")
        }
        for member in members {
          guard let value = member.value.integer else { throw FieldError("tests: input \(member.key) is no integer") }
          inputs.append(ProgramTest.Input(name: member.key, value: value))
        }
        all.append(ProgramTest(inputs: inputs, output: try test.text("output")))
      }
      self = .program(tests: all)
    case "python":
      self = .python(
        PythonTest(prompt: try json.text("prompt"), test: try json.text("test"), entryPoint: try json.text("entry_point")))
    case let other?:
      throw FieldError("grader: found '\(other.prefix(40))', expected one of \(Self.names.joined(separator: ", "))")
    case nil: throw FieldError("grader: found a \(json["grader"]?.typeName ?? "null"), expected a text")
    }
  }
}

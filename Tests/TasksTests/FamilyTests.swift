import Testing

@testable import SwiftletTasks

@Suite struct FamilyTests {
  static let names = TaskFamilies.all.map(\.name)

  private func family(_ name: String) throws -> any TaskFamily { try TaskFamilies.named([name])[0] }

  /// The same problems on every machine: their hashes, of the first 20 of difficulties 2, 5 and 9.
  static let hashes = [
    "arithmetic": "dac6ee7104f12011",
    "multiplication": "fe62e0e9b80d7908",
    "fractions": "91c814e70d282aaa",
    "linear-equations": "39c495c53aa36ba2",
    "modular-arithmetic": "2f63a7aaa08288eb",
    "countdown": "707e7ceeef1a55b3",
    "parity": "8ee2a46fd7195694",
    "sorting": "996587540c08eccc",
    "counting": "f68354c12c1c21a0",
    "base-conversion": "a6d5c6e393b7eb56",
    "dates": "9f4d1663f8f4f2ea",
    "propositional-logic": "2960100e1262fbb8",
    "word-problems": "1c94669b5cf46a73",
    "program-output": "ae84a01943ed469f",
    "program-writing": "69c3164be44e224d",
  ]

  @Test(arguments: names) func problemsAreTheSameEverywhere(name: String) throws {
    let texts = try [2, 5, 9].flatMap { difficulty in
      try TaskSet(family(name), difficulty: difficulty, seed: 1).problems(20).map { $0.json.serialized() }
    }
    #expect(Self.hashes[name] == String(StableHash.of(texts.joined(separator: "\n")), radix: 16))
  }

  @Test(arguments: names) func rightAnswersAreRightAndOthersWrong(name: String) throws {
    let family = try family(name)
    for difficulty in [1, 5, 10] {
      let problems = try TaskSet(family, difficulty: difficulty, seed: 3).problems(8).map(\.problem)
      for (problem, next) in zip(problems, problems.dropFirst() + problems.prefix(1)) {
        let grade = try problem.grade(problem.workedAnswer)
        #expect(grade.isCorrect && grade.isWellFormed && grade.canonical != nil, "\(problem)")
        #expect(try !problem.grade("<think></think><answer></answer>").isCorrect)
        #expect(try !problem.grade("<think>\(problem.answer)").isCorrect)
        #expect(try !problem.grade("<think></think><answer>\(problem.answer) or not</answer>").isCorrect || problem.isWriting)
        if problem.answer != next.answer, problem.grader != .boolean {
          #expect(try !problem.grade("<answer>\(next.answer)</answer>").isCorrect, "\(problem) \(next.answer)")
        }
      }
    }
  }

  @Test(arguments: names) func thoughtsEndInTheAnswer(name: String) throws {
    let family = try family(name)
    for difficulty in 1...10 {
      for problem in try TaskSet(family, difficulty: difficulty, seed: 5).problems(10).map(\.problem) where !problem.isWriting {
        let last = problem.reasoning.split(whereSeparator: \.isNewline).last ?? ""
        let answer = problem.answer.replacing("\n", with: ", ")
        #expect(last.contains(answer), "\(problem.reasoning) -> \(answer)")
      }
    }
  }

  /// `12 * 3 = 36` wherever it stands in a thought.
  @Test(arguments: names) func equationsInThoughtsAreTrue(name: String) throws {
    let family = try family(name)
    var count = 0
    for difficulty in 1...10 {
      for problem in try TaskSet(family, difficulty: difficulty, seed: 6).problems(20).map(\.problem) {
        for line in problem.reasoning.split(whereSeparator: \.isNewline) {
          for part in line.split(whereSeparator: { ",:;".contains($0) }) {
            let sides = part.split(separator: " = ")
            guard sides.count == 2, let left = Self.value(sides[0], fromEnd: true),
              let right = Self.value(sides[1], fromEnd: false)
            else { continue }
            #expect(left == right, "\(line)")
            count += 1
          }
        }
      }
    }
    let without = ["sorting", "propositional-logic", "program-output", "program-writing"]
    #expect(count > 0 || without.contains(name))
  }

  /// The value of an expression at the end or the beginning of a text.
  private static func value(_ text: Substring, fromEnd: Bool) -> Rational? {
    func isPart(_ character: Character) -> Bool { character.isASCII && (character.isNumber || " +-*/()".contains(character)) }
    let part = fromEnd ? String(text.reversed().prefix(while: isPart).reversed()) : String(text.prefix(while: isPart))
    // What has a letter before it, as in `3x - 4`, is no expression of numbers.
    if fromEnd, text.dropLast(part.count).last?.isLetter == true,
      part.first != " " || part.dropFirst().first.map({ "+-*/".contains($0) }) == true
    {
      return nil
    }
    return CountdownExpression(part)?.value
  }

  @Test(arguments: names) func enoughProblemsAreThere(name: String) throws {
    for split in TaskSplit.allCases {
      #expect(try TaskSet(family(name), difficulty: 1, split: split).problems(100).count == 100)
    }
  }

  @Test(arguments: names) func namesAndDialsAreThere(name: String) throws {
    let family = try family(name)
    #expect(name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D })
    #expect(family.summary.hasSuffix("."))
    #expect(Set((1...10).map { family.dials(difficulty: $0) }).count > 2)
    // Beyond what may be asked for: the harder split goes two steps up.
    var random = TaskRandom("beyond")
    for difficulty in 11...12 { #expect(!family.problem(difficulty: difficulty, random: &random).answer.isEmpty) }
  }

  @Test func bothLanguagesAreThere() throws {
    let problems = try TaskSet(WordProblems(), difficulty: 3).problems(60).map(\.problem)
    for language in Problem.Language.allCases { #expect(problems.filter { $0.language == language }.count > 15) }
    #expect(problems.first { $0.language == .chinese }?.prompt().contains("请先在") == true)
  }

  @Test func whatIsOutOfScopeMustBeNamed() throws {
    #expect(!TaskFamilies.all.contains { $0.name == "out-of-scope" })
    let family = try #require(try TaskFamilies.named(["out-of-scope"]).first)
    for split in TaskSplit.allCases {
      let problems = try TaskSet(family, difficulty: 1, split: split).problems(150).map(\.problem)
      for problem in problems {
        #expect(
          try problem.grade(problem.workedAnswer).isCorrect && !problem.grade("<think></think><answer>42</answer>").isCorrect)
        #expect(!problem.question.contains { "{}".contains($0) }, "\(problem.question)")
      }
    }
  }

  @Test func wrongRequestsAreRefused() throws {
    #expect(throws: TaskError.unknownFamily("sums", known: Self.names + ["out-of-scope"])) { try TaskFamilies.named(["sums"]) }
    #expect(throws: TaskError.difficultyOutOfRange(0, allowed: 1...10)) { try TaskSet(Parity(), difficulty: 0) }
    #expect(throws: TaskError.difficultyOutOfRange(11, allowed: 1...10)) { try TaskSet(Parity(), difficulty: 11) }
    #expect(throws: TaskError.indexOutOfRange(-1)) { try TaskSet(Parity(), difficulty: 1).problem(at: -1) }
    #expect(throws: TaskError.self) { try TaskSet(Coin(), difficulty: 1).problems(3) }
  }

  /// A family of two problems.
  private struct Coin: TaskFamily {
    let name = "coin"
    let summary = "Two problems."
    func dials(difficulty: Int) -> String { "" }
    func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
      Problem(question: "\(random.integer(0...1))", answer: "1", grader: .number)
    }
  }
}

extension Problem {
  fileprivate var isWriting: Bool { if case .program = grader { true } else { false } }
}

import SwiftletJSON
import Testing

@testable import SwiftletTasks

/// Our verdicts beside those of reasoning-gym's verifiers, on answers of make_reasoning_gym_fixture.py.
@Suite struct ReasoningGymTests {
  /// Where the two differ, and why.
  static let differences: [(sets: [String], kinds: [String], isRightHere: Bool, reason: String)] = [
    (
      ["simple_equations", "letter_counting", "gcd", "count_bits"],
      ["spaces", "line end", "plus", "decimals", "zeros", "full stop", "fraction", "exponent"], true,
      "there the text must be the same; here the number"
    ),
    (["chain_sum", "products"], ["fraction"], true, "there fractions are not read"),
    (["base_conversion"], ["spaces", "capitals", "quotes", "full stop"], true, "there the text must be the same"),
    (
      ["number_sorting"], ["commas", "tight", "words", "shuffled"], true,
      "there only JSON lists are read; one shuffle changed nothing"
    ),
    (["word_sorting"], ["words", "brackets", "quotes"], true, "there only words between commas are read"),
    (["word_sorting"], ["one twice"], false, "there it is not looked at what follows the right words"),
    (["countdown"], ["times", "equals"], true, "there × and = are not read"),
  ]

  @Test func verdictsAreTheSameButWhereExplained() throws {
    var found: [String: Int] = [:], count = 0
    for row in try Fixture.json("reasoning_gym.json").elements ?? [] {
      let set = try #require(row["set"]?.string), answer = try #require(row["answer"]?.string)
      let grader = try Grader(row)
      for entry in row["cases"]?.elements ?? [] {
        let parts = try #require(entry.elements)
        let kind = try #require(parts[0].string), text = try #require(parts[1].string), theirs = parts[2].bool == true
        let ours = try grader.isCorrect(text, expected: answer)
        count += 1
        if ours != theirs { found["\(set): \(kind): \(ours ? "right" : "wrong") here", default: 0] += 1 }
      }
    }
    #expect(count > 4000)
    let expected = Self.differences.flatMap { difference in
      difference.sets.flatMap { set in
        difference.kinds.map { "\(set): \($0): \(difference.isRightHere ? "right" : "wrong") here" }
      }
    }
    #expect(found.keys.sorted() == expected.sorted(), "\(found)")
  }
}

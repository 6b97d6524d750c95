import Testing

@testable import SwiftletTasks

@Suite struct SplitTests {
  @Test(arguments: FamilyTests.names) func noProblemIsInTwoSplits(name: String) throws {
    let family = try TaskFamilies.named([name])[0]
    var places: [String: TaskSplit] = [:]
    for split in TaskSplit.allCases {
      for difficulty in [1, 2, 3, 5, 8] {
        for seed in 0..<2 as Range<UInt64> {
          for problem in try TaskSet(family, difficulty: difficulty, split: split, seed: seed).problems(15) {
            #expect(places[problem.problem.key] ?? split == split, "\(problem.id)")
            places[problem.problem.key] = split
          }
        }
      }
    }
  }

  @Test func theSharesAreAsDocumented() {
    var counts: [TaskSplit: Int] = [:], random = TaskRandom("shares")
    for _ in 0..<5000 {
      counts[TaskSplit(of: Arithmetic().problem(difficulty: 5, random: &random), family: "arithmetic"), default: 0] += 1
    }
    #expect((400...600).contains(counts[.heldOut] ?? 0) && (400...600).contains(counts[.harder] ?? 0))
  }

  @Test func theWordsOfAQuestionDoNotDecide() {
    let one = Problem(question: "What is 1 + 2?", answer: "3", grader: .number, key: "1 + 2")
    let other = Problem(question: "1 + 2 = ?", answer: "3", grader: .number, key: "1 + 2")
    #expect(TaskSplit(of: one, family: "f") == TaskSplit(of: other, family: "f"))
  }

  @Test func harderProblemsAreHarder() throws {
    let problem = try TaskSet(Parity(), difficulty: 5, split: .harder).problem(at: 0)
    #expect(problem.key.count > 10 + 4 * 6 - 1)
  }

  @Test func setsOfOtherSeedsAreOthersAndIndicesDecide() throws {
    let first = try TaskSet(Countdown(), difficulty: 4, seed: 1), second = try TaskSet(Countdown(), difficulty: 4, seed: 2)
    #expect(try first.problem(at: 7) == first.problem(at: 7))
    #expect(try first.problem(at: 7) != first.problem(at: 8))
    #expect(try first.problem(at: 7) != second.problem(at: 7))
    #expect(Set(try first.problems(200).map(\.problem.key)).count == 200)
  }

  @Test func randomNumbersAreEvenAndFixed() {
    var random = TaskRandom("even")
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<7000 { counts[random.integer(0...6)] += 1 }
    #expect(counts.allSatisfy { (850...1150).contains($0) })
    var other = TaskRandom("fixed", 1, 2)
    #expect([other.integer(0...999), other.integer(-5...5), other.integer(digits: 18)].count == 3)
    #expect((0..<100).allSatisfy { _ in (Int.min...Int.max).contains(other.integer(Int.min...Int.max)) })
  }
}

import SwiftletJSON
import Testing

@testable import SwiftletTasks

@Suite struct StatisticsTests {
  /// See make_statistics_fixture.py.
  @Test func figuresAreThoseOfOtherWays() throws {
    let fixture = try Fixture.json("statistics.json")
    for row in fixture["pass_at_k"]?.elements ?? [] {
      let values = (row.elements ?? []).compactMap(\.double)
      let ours = Statistics.passAtK(samples: Int(values[0]), correct: Int(values[1]), k: Int(values[2]))
      #expect(abs(ours - values[3]) < 1e-12, "\(values)")
    }
    for row in fixture["wilson"]?.elements ?? [] {
      let values = (row.elements ?? []).compactMap(\.double)
      let ours = Statistics.wilson(successes: values[0], trials: Int(values[1]))
      #expect(abs(ours.lowerBound - values[2]) < 1e-9 && abs(ours.upperBound - values[3]) < 1e-9, "\(values)")
    }
  }

  @Test func passAtKOfManySamplesIsFinite() {
    #expect(Statistics.passAtK(samples: 10_000, correct: 1, k: 5_000) - 0.5 < 1e-9)
    #expect(Statistics.passAtK(samples: 10_000, correct: 10_000, k: 1) == 1)
    #expect(Statistics.passAtK(samples: 10_000, correct: 0, k: 10_000) == 0)
  }

  /// Of 400 sets of coins with a chance of 0.3, about 95 % of intervals have it.
  @Test func theBootstrapCoversTheTruth() {
    var random = TaskRandom("coverage"), covered = 0
    for _ in 0..<400 {
      let values = (0..<60).map { _ in random.chance(percent: 30) ? 1.0 : 0.0 }
      if Statistics.estimate(values).interval.contains(0.3) { covered += 1 }
    }
    #expect((365...395).contains(covered), "\(covered)")
  }

  @Test func estimatesAreFixedAndKnowTheirEdges() {
    let values = (0..<50).map { Double($0 % 4) }
    #expect(Statistics.estimate(values, isRate: false) == Statistics.estimate(values, isRate: false))
    #expect(Statistics.estimate([0, 0, 0]).interval == Statistics.wilson(successes: 0, trials: 3))
    #expect(Statistics.estimate([1, 1]).interval == Statistics.wilson(successes: 2, trials: 2))
    #expect(Statistics.estimate([]).interval == 0...1)
    #expect(Statistics.estimate([0.5, 0.5]).interval == Statistics.wilson(successes: 1, trials: 2))
  }

  private func answer(_ problem: String, _ sample: Int, _ canonical: String?, _ isCorrect: Bool) -> GradedAnswer {
    GradedAnswer(
      problem: problem, group: "g", sample: sample,
      answer: ModelAnswer(text: "", tokens: 10 * (sample + 1), isTruncated: sample == 0),
      grade: Grade(isCorrect: isCorrect, isWellFormed: true, answer: canonical, canonical: canonical))
  }

  @Test func theMostFrequentAnswerCounts() {
    func consensus(_ answers: [(String?, Bool)]) -> Bool {
      EvaluationSummary.isConsensusCorrect(answers.enumerated().map { answer("p", $0.offset, $0.element.0, $0.element.1) })
    }
    #expect(consensus([("1", false), ("2", true), ("2", true)]))
    #expect(!consensus([("1", false), ("1", false), ("2", true)]))
    #expect(!consensus([("1", false), ("2", true)]))
    #expect(consensus([("2", true), ("1", false)]))
    #expect(consensus([(nil, false), (nil, false), ("2", true)]))
    #expect(!consensus([(nil, false)]))
  }

  @Test func summariesCountWhatThereIs() {
    let answers = [
      answer("p", 0, "1", true), answer("p", 1, "2", false), answer("q", 0, "1", false), answer("q", 1, "1", false),
    ]
    let summary = EvaluationSummary(answers, samples: 2)
    #expect(summary.problems == 2 && summary.passAt1.value == 0.25 && summary.passAtK.value == 0.5)
    #expect(summary.consensus.value == 0.5 && summary.tokens.value == 15 && summary.truncated.value == 0.5)
    #expect(
      summary.json.members?.map(\.key) == [
        "problems", "samples", "pass@1", "pass@2", "cons@2", "mean_tokens", "mean_reasoning_tokens", "truncated", "well_formed",
      ])
  }

  /// Of five answers one is right, or three: of two of them one is right in 4 of 10 cases, or 9.
  @Test func fewerAnswersAreRightLessOften() {
    let answers = (0..<5).flatMap { [answer("p", $0, "1", $0 == 3), answer("q", $0, "1", $0 < 3)] }
    let summary = EvaluationSummary(answers, samples: 5)
    #expect(summary.passAtFewer.map(\.samples) == [2, 4] && summary.passAtK.value == 1)
    #expect(abs(summary.passAtFewer[0].accuracy.value - 0.65) < 1e-12)
    #expect(abs(summary.passAtFewer[1].accuracy.value - 0.9) < 1e-12)
    #expect(
      summary.json.members?.map(\.key).prefix(6) == ["problems", "samples", "pass@1", "pass@2", "pass@4", "pass@5"])
    #expect(EvaluationSummary([answer("p", 0, "1", true)], samples: 1).passAtFewer.isEmpty)
  }
}

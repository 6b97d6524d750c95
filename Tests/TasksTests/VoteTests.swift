import Foundation
import Testing

@testable import SwiftletTasks

@Suite struct VoteTests {
  @Test(arguments: [
    ("So <answer> 42 </answer>", "42"), ("The total is 41.0 apples", "41"), ("\\boxed{\\frac{1}{2}}", "1/2"),
    ("It is \\boxed 5.", "5"), ("That makes 7, no, 1,234.", "1234"), ("The answer is -\\frac{1}{3}", "-1/3"),
    ("<answer>17, 23</answer>", "17, 23"), ("Paris.", "paris"), ("so\n\n**Paris**\n", "paris"), ("x\n#### 9", "9"),
    ("<think>1</think>\n2", "2"), ("It is \\boxed{x^2 + 1}", "x^2 + 1"), ("\\boxed{\\sqrt3}", "\\sqrt{3}"),
    ("So:\n\\[\nx = 7\n\\]", "7"), ("The answer is:\n\\[\n7\n\\]\n", "7"), ("So\n```\nred\n```", "red"),
    ("\\begin{align}\n8\n\\end{align}", "8"), ("{\n\"b\": 2.0,\n\"a\": [1]\n}\n", #"{"a":[1],"b":2}"#),
    ("```json\n{\"b\": 2, \"a\": [1]}\n```", #"{"a":[1],"b":2}"#), ("[3, 4]", "[3,4]"),
    (#"<answer>{"a": {"c": "X", "b": null}}</answer>"#, #"{"a":{"b":null,"c":"X"}}"#), ("[]", "[]"),
  ]) func whatResponsesSay(response: String, canonical: String) {
    #expect(Ballot(response: response)?.canonical == canonical, "\(Ballot(response: response)?.canonical ?? "none")")
  }

  /// JSON on lines of its own, unless an answer is marked beside it, or a number stands behind it that it may be about.
  @Test(arguments: [
    ("Here it is:\n```json\n{\"b\": 2.0, \"a\": [1]}\n```\nI made 3 of them.", #"{"a":[1],"b":2}"#),
    ("The answer is:\n\n  ```JSON\n[3,\n4]\n  ```", "[3,4]"),
    ("So:\r\n{\r\n  \"b\": 2,\r\n  \"a\": 1\r\n}\r\nThat is all.", #"{"a":1,"b":2}"#),
    ("So 5:\n[\n{\"a\": 1}\n]\nThese are all.", #"[{"a":1}]"#), ("Python:\n```\n{\"a\": 1}\n```\nThat's it", #"{"a":1}"#),
    ("The input is\n{\"a\": 1}\nSo the result is 5.", "5"), ("Python:\n```\n{\"a\": 1}\n```\nHas 5", "5"),
    ("The answer is:\n{\"a\": 1}", #"{"a":1}"#), ("The answer is 5.\n{\"a\": 1}", "5"),
    ("**Answer:** as follows:\n```json\n{\"a\": 1}\n```", #"{"a":1}"#), ("#### 5\n```json\n{\"a\": 1}\n```", "5"),
    ("So \\boxed{5}, or\n```json\n{\"a\": 1}\n```", "5"), ("It has 8 of\n```json\n[]\n```", "8"),
    ("It has 8 of\n{}", "8"),
    ("<answer>It is\n```json\n{\"a\": {\"c\": \"the answer is 5\"}}\n```\n</answer>", #"{"a":{"c":"the answer is 5"}}"#),
    ("Given\n{\"a\": 1}\nthe answer is 5.", "5"), ("```json\n{\"a\": 1}\n```\nso \\boxed{5}", "5"),
    ("We have\n[1, 2, 3]\nand the sum is 6.", "6"), ("{\"a\": 1}\n{\"a\": 2}\nor 9", "9"),
    ("Either\n```json\n{\"a\": 1}\n```\nor\n```json\n{\"a\": 2}\n```\nso 7", "7"),
    ("It is\n```json\n{\"a\": 1}\nwith 8", "8"), ("It is\n```json\n```\nwith 8", "8"), ("It is\n```json", "it is"),
  ]) func jsonAmongWords(response: String, canonical: String) {
    #expect(Ballot(response: response)?.canonical == canonical, "\(Ballot(response: response)?.canonical ?? "none")")
  }

  @Test func nothingHasNoVote() {
    for response in [
      "", " \n\t", "<answer> </answer>", "<think>so", "<answer>\"\"</answer>", "}", "\\]", "```",
      "so\n```\n```\n<answer>-</answer>", "…\n---", String(repeating: "x", count: 5000),
    ] {
      #expect(Ballot(response: response)?.canonical.isEmpty ?? true, "\(response.prefix(20))")
    }
  }

  private func vote(_ responses: [String]) -> Vote { Vote(responses.map { Ballot(response: $0) }) }

  @Test func theMostFrequentWins() {
    let counted = vote(["41", "42", "", "It is 42.0", "41 apples", "42", "no idea"])
    #expect(counted.candidates.map(\.answer) == ["42", "41", "no idea"] && counted.candidates.map(\.votes) == [3, 2, 1])
    #expect(counted.candidates.map(\.sample) == [1, 0, 6] && counted.blanks == 1)
    #expect(counted.json.serialized().hasPrefix(#"{"answer":"42","votes":3,"blank":1,"counts":[{"answer":"42","votes":3}"#))
  }

  @Test func ofEquallyFrequentOnesTheFirstWins() {
    #expect(vote(["b", "a", "a", "b"]).winner?.answer == "b")
    #expect(vote(["c", "a", "b", "b", "a"]).winner?.answer == "a")
    #expect(vote(["", ""]).winner == nil && vote([]).winner == nil)
  }

  // MARK: Curves

  private func answers(_ problem: String, _ said: [String], right: String, scores: [Double?] = []) -> [GradedAnswer] {
    said.enumerated().map { index, text in
      GradedAnswer(
        problem: problem, group: "g", sample: index,
        answer: ModelAnswer(
          text: text, tokens: 1, isTruncated: false, logProbability: index < scores.count ? scores[index] : nil),
        grade: Grade(isCorrect: text == right, isWellFormed: true, answer: text, canonical: text.isEmpty ? "" : text),
        score: index < scores.count ? scores[index] : nil)
    }
  }

  @Test func subsetsAreAllThereIs() {
    #expect(SampleCurve.subsets(of: 4, size: 2) == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
    #expect(SampleCurve.subsets(of: 3, size: 3) == [[0, 1, 2]] && SampleCurve.subsets(of: 16, size: 8).count == 12_870)
    let drawn = SampleCurve.subsets(of: 64, size: 32)
    #expect(drawn.count == 2000 && drawn == SampleCurve.subsets(of: 64, size: 32))
    #expect(drawn.allSatisfy { Set($0).count == 32 && $0 == $0.sorted() && $0.allSatisfy((0..<64).contains) })
  }

  /// maj@1 is pass@1, maj@n is cons@n, and maj@2 is what counting by hand gives.
  @Test func votesOfSomeAnswers() {
    let all =
      answers("a", ["1", "2", "1", "3"], right: "1") + answers("b", ["2", "1", "1", ""], right: "1")
      + answers("c", ["", "", "", ""], right: "")
    let curve = SampleCurve(all, choice: .vote), summary = EvaluationSummary(all, samples: 4)
    #expect(curve.points.map(\.samples) == [1, 2, 4])
    #expect(abs(curve.points[0].accuracy.value - (0.5 + 0.5 + 0) / 3) < 1e-12)
    // a: 01 1, 02 1, 03 1, 12 2, 13 2, 23 1: four of six. b: 01 2, 02 2, 03 2, 12 1, 13 1, 23 1: three.
    #expect(abs(curve.points[1].accuracy.value - (4.0 / 6 + 3.0 / 6) / 3) < 1e-12)
    #expect(curve.points[2].accuracy == summary.consensus && abs(summary.consensus.value - 2.0 / 3) < 1e-12)
    // Right answers that say nothing: without a vote they are not chosen.
    #expect(summary.passAt1.value > curve.points[0].accuracy.value)
    #expect(curve.members.map(\.key) == ["maj@1", "maj@2", "maj@4"])
  }

  @Test func theBestOfSomeAnswers() {
    let all = answers("a", ["1", "2", "1"], right: "1", scores: [0.1, 0.5, nil])
    for choice in [SampleCurve.Choice.score, .likelihood] {
      let points = SampleCurve(all, choice: choice).points
      #expect(points.map(\.samples) == [1, 2, 3])
      // Pairs: 01 wrong, 02 right, 12 wrong.
      #expect(abs(points[1].accuracy.value - 1.0 / 3) < 1e-12 && points[2].accuracy.value == 0)
    }
    #expect(SampleCurve.best([nil, 2, 2, 1]) == 1 && SampleCurve.best([nil, nil]) == 0 && SampleCurve.best([]) == nil)
  }

  @Test func linesOfAnswersAreReadBack() throws {
    let answer = answers("a", ["1"], right: "1", scores: [0.25])[0]
    #expect(GradedAnswer(answer.json) == answer)
  }
}

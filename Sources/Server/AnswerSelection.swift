internal import Swiftlet
internal import SwiftletJSON
internal import SwiftletTasks

/// Which of several answers to a chat request is given, where the request asks for one.
struct AnswerSelection {
  /// The first that is whole where none has a vote or is known to be likely.
  let chosen: Int
  private let vote: Vote?
  private let scores: [Double?]

  /// - Parameter choices: answers that have ended. Those that the server's policy or its end cut off are not chosen.
  init(_ choices: [ChoiceState], by choice: AnswerChoice) {
    func isWhole(_ choice: ChoiceState) -> Bool { choice.finishReason == "stop" || choice.finishReason == "length" }
    let first = choices.firstIndex(where: isWhole) ?? 0
    if choice == .vote {
      let vote = Vote(choices.map { isWhole($0) ? Ballot(response: $0.content) : nil })
      (self.vote, scores) = (vote, [])
      chosen = vote.winner?.sample ?? first
    } else {
      vote = nil
      scores = choices.map { isWhole($0) ? $0.likelihood.value : nil }
      chosen = scores.allSatisfy { $0 == nil } ? first : SampleCurve.best(scores) ?? first
    }
  }

  var json: JSONValue {
    .object(SampledAnswers.members(count: max(scores.count, ballots), chosen: chosen, vote: vote, scores: scores))
  }

  private var ballots: Int { vote.map { $0.blanks + $0.candidates.reduce(0) { $0 + $1.votes } } ?? 0 }
}

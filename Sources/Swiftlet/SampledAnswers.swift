public import SwiftletGeneration
public import SwiftletJSON
public import SwiftletTasks

/// How one of several answers to a prompt is chosen.
public enum AnswerChoice: Sendable, Equatable {
  /// The most frequent answer (`Vote`).
  case vote
  /// The answer of the largest mean log-probability.
  case likelihood
  /// The answer that a command gives the largest score.
  case grader(GraderCommand)
}

/// Several answers to one prompt, and the one that was chosen.
public struct SampledAnswers: Sendable {
  public let completions: [Completion]
  /// Which of them was chosen; the first where none has a vote or a score.
  public let chosen: Int
  /// What a vote came to; nil where another choice was asked for.
  public let vote: Vote?
  /// What each is worth, where that was asked for; nil for those that have no score.
  public let scores: [Double?]
  /// Why answers have no score.
  public let failures: [GraderCommand.Failure]

  /// The answer that was chosen.
  public var best: Completion { completions[chosen] }

  /// The answer that was chosen, how, and all of them, as the command's `--json` prints them.
  public var json: JSONValue {
    .object(
      [
        JSONMember(key: "text", value: .string(best.content)), JSONMember(key: "reasoning", value: .string(best.reasoning)),
      ] + Self.members(count: completions.count, chosen: chosen, vote: vote, scores: scores)
        + (failures.isEmpty
          ? [] : [JSONMember(key: "failures", value: .array(failures.map { .string($0.description) }))])
        + [JSONMember(key: "answers", value: .array(completions.map(\.json)))])
  }

  /// How one answer of several was chosen.
  public static func members(count: Int, chosen: Int, vote: Vote?, scores: [Double?]) -> [JSONMember] {
    var members = [
      JSONMember(key: "samples", value: .integer(count)), JSONMember(key: "chosen", value: .integer(chosen)),
    ]
    if let vote { members.append(JSONMember(key: "vote", value: vote.json)) }
    if !scores.isEmpty {
      members.append(JSONMember(key: "scores", value: .array(scores.map { $0.map { .number($0) } ?? .null })))
    }
    return members
  }
}

extension LanguageModel {
  /// Answers a prompt several times at once, and chooses one of the answers.
  ///
  /// The answers are those of `options` with `sampleIndex` counted up from its value, so they depend on nothing else.
  /// - Parameters:
  ///   - count: at least 1.
  ///   - options: nil for what the model's files advise.
  public func sample(
    _ prompt: Prompt, count: Int, choosing choice: AnswerChoice, options: GenerationOptions? = nil
  ) async throws -> SampledAnswers {
    var options = options ?? loaded.advisedOptions
    if choice == .likelihood, options.topLogProbabilities == nil { options.topLogProbabilities = 0 }
    let shared = options
    let completions = try await withThrowingTaskGroup(of: (Int, Completion).self) { group in
      for index in 0..<max(1, count) {
        group.addTask {
          var options = shared
          options.sampleIndex += index
          return (index, try await self.complete(prompt, options: options))
        }
      }
      var answers: [Int: Completion] = [:]
      for try await (index, answer) in group { answers[index] = answer }
      return answers.sorted { $0.key < $1.key }.map(\.value)
    }
    switch choice {
    case .vote:
      let vote = Vote(completions.map { Ballot(response: $0.content) })
      return SampledAnswers(completions: completions, chosen: vote.winner?.sample ?? 0, vote: vote, scores: [], failures: [])
    case .likelihood:
      let scores = completions.map(\.logProbability)
      return SampledAnswers(
        completions: completions, chosen: SampleCurve.best(scores) ?? 0, vote: nil, scores: scores, failures: [])
    case .grader(let grader):
      var scores: [Double?] = [], failures: [GraderCommand.Failure] = []
      for completion in completions {
        switch try await grader.score(prompt: prompt.question, response: completion.response) {
        case .success(let score): scores.append(score)
        case .failure(let failure):
          scores.append(nil)
          failures.append(failure)
        }
      }
      return SampledAnswers(
        completions: completions, chosen: SampleCurve.best(scores) ?? 0, vote: nil, scores: scores, failures: failures)
    }
  }
}

extension LanguageModel.Prompt {
  /// What is asked, for graders: of a conversation the last message of the user.
  var question: String {
    switch self {
    case .text(let text), .raw(let text): text
    case .messages(let messages):
      messages.elements?.last { $0["role"]?.string == "user" }?["content"]?.string ?? messages.serialized()
    case .fillInMiddle(let prefix, let suffix): prefix + suffix
    }
  }
}

extension Completion {
  /// All of the answer, its thought between `<think>` and `</think>`; a thought that was cut has no end.
  public var response: String {
    guard !reasoning.isEmpty else { return content }
    let isOpen = summary?.finishReason == .length && content.isEmpty
    return "<think>\n\(reasoning)\n" + (isOpen ? "" : "</think>\n") + content
  }
}

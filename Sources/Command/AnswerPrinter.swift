import Foundation
import Swiftlet
import SwiftletGeneration

/// Prints an answer as it comes. Thoughts are dim, and stand between `<think>` and `</think>` where nothing can be dim.
struct AnswerPrinter {
  let showsReasoning: Bool
  private var isThinking = false

  init(showsReasoning: Bool) { self.showsReasoning = showsReasoning }

  mutating func print(_ parts: [AnswerPart]) {
    for part in parts {
      switch part {
      case .reasoning(let text) where showsReasoning:
        if !isThinking, !Output.usesColor { Output.write("<think>\n") }
        isThinking = true
        Output.write(untrusted: text) { Output.dim($0) }
      case .reasoning: continue
      case .content(let text):
        if isThinking { Output.write(Output.usesColor ? "\n\n" : "\n</think>\n\n") }
        isThinking = false
        Output.write(untrusted: text)
      }
    }
  }

  func finish() { Output.write(isThinking && !Output.usesColor ? "\n</think>\n" : "\n") }
}

extension GenerationSummary {
  /// `12 tokens of prompt at 340.1/s, 64 generated at 56.2/s (stop)`
  var line: String {
    let cached = cachedTokens > 0 ? " (\(cachedTokens) cached)" : ""
    let drafted =
      drafts.map { String(format: ", %d of %d guesses right", $0.accepted, $0.proposed) } ?? ""
    return String(
      format: "%d tokens of prompt%@ at %.1f/s, %d generated at %.1f/s%@ (%@)", promptTokens, cached, prefillTokensPerSecond,
      completionTokens, decodeTokensPerSecond, drafted, finishReason.rawValue)
  }
}

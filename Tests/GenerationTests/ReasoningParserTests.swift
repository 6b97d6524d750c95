import Testing

@testable import SwiftletGeneration

@Suite struct ReasoningParserTests {
  /// Reasoning and content of a text fed in pieces of `size` scalars.
  static func split(_ text: String, opensThought: Bool, size: Int) -> (reasoning: String, content: String) {
    var parser = ReasoningParser(promptOpensThought: opensThought)
    let scalars = Array(text.unicodeScalars)
    var parts: [AnswerPart] = []
    for start in stride(from: 0, to: scalars.count, by: size) {
      var piece = String.UnicodeScalarView()
      piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
      parts += parser.append(String(piece))
    }
    parts += parser.finish()
    var result = (reasoning: "", content: "")
    for part in parts {
      switch part {
      case .reasoning(let text): result.reasoning += text
      case .content(let text): result.content += text
      }
    }
    return result
  }

  @Test(arguments: [
    ("<think>\nA b\n\nc.\n</think>\n\nDone </think> x.", false, "A b\n\nc.", "Done </think> x."),
    ("Thought.</think>Answer", true, "Thought.", "Answer"),
    ("\n<think></think>\n\nAnswer", false, "", "Answer"),
    ("no thought <think>here</think>", false, "", "no thought <think>here</think>"),
    ("never closed </thin", true, "never closed </thin", ""),
    ("<thin", false, "", "<thin"),
    ("想一想</think>\r\n答案\u{301}", true, "想一想", "答案\u{301}"),
    ("a</think>\u{301}b", true, "a", "\u{301}b"),
    ("", true, "", ""),
  ])
  func splitsAtEveryPlace(_ text: String, _ opensThought: Bool, _ reasoning: String, _ content: String) {
    for size in 1...max(1, text.unicodeScalars.count) {
      let result = Self.split(text, opensThought: opensThought, size: size)
      #expect(Array(result.reasoning.utf8) == Array(reasoning.utf8), "in pieces of \(size)")
      #expect(Array(result.content.utf8) == Array(content.utf8), "in pieces of \(size)")
    }
  }

  @Test func keepsWhiteSpaceBehindABegunThought() {
    var parser = ReasoningParser(promptOpensThought: true, continuesThought: true)
    let parts = parser.append(" by") + parser.append(" digit \n</think>\n\nYes")
    #expect(parts == [.reasoning(" by"), .reasoning(" digit"), .content("Yes")])
  }

  @Test func seesOpenThoughtInPrompt() {
    #expect(ReasoningParser.opensThought("<｜Assistant｜><think>\n"))
    #expect(!ReasoningParser.opensThought("<think></think>"))
    #expect(!ReasoningParser.opensThought(""))
  }
}

public import SwiftletJSON

/// A conversation as it was held.
public struct Transcript: Sendable, Equatable {
  public enum Entry: Sendable, Equatable {
    /// What the model is told before all else.
    case instructions(String)
    case prompt(String)
    /// The model's answer and, for reasoning models, the thought before it.
    case response(content: String, reasoning: String)
  }

  public var entries: [Entry]

  public init(entries: [Entry] = []) { self.entries = entries }

  /// The conversation as chat templates read it. Thoughts of earlier turns are left out, as DeepSeek advises.
  public var messages: JSONValue {
    .array(
      entries.map { entry in
        switch entry {
        case .instructions(let text): ["role": "system", "content": .string(text)]
        case .prompt(let text): ["role": "user", "content": .string(text)]
        case .response(let content, _): ["role": "assistant", "content": .string(content)]
        }
      })
  }
}

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
    Transcript(
      entries: entries.map { entry in
        if case .response(let content, _) = entry { .response(content: content, reasoning: "") } else { entry }
      }
    ).json
  }

  /// The conversation as JSON, thoughts included: an array of messages.
  public var json: JSONValue {
    .array(
      entries.map { entry in
        switch entry {
        case .instructions(let text): ["role": "system", "content": .string(text)]
        case .prompt(let text): ["role": "user", "content": .string(text)]
        case .response(let content, let reasoning):
          reasoning.isEmpty
            ? ["role": "assistant", "content": .string(content)]
            : ["role": "assistant", "content": .string(content), "reasoning_content": .string(reasoning)]
        }
      })
  }

  /// Reads what `json` wrote, or messages as the HTTP API has them.
  /// - Throws: `JSONError` for broken JSON, `TranscriptError` for messages that are none.
  public init(json bytes: [UInt8]) throws {
    let value = try JSONValue(parsing: bytes)
    guard let messages = value.elements else {
      throw TranscriptError(reason: "found a JSON \(value.typeName), expected an array of messages")
    }
    entries = try messages.enumerated().map { index, message in
      guard let content = message["content"]?.string else {
        throw TranscriptError(reason: "message \(index) has no content, expected a string")
      }
      switch message["role"]?.string {
      case "system": return .instructions(content)
      case "user": return .prompt(content)
      case "assistant": return .response(content: content, reasoning: message["reasoning_content"]?.string ?? "")
      case let role:
        throw TranscriptError(reason: "message \(index): found role '\(role ?? "none")', expected system, user or assistant")
      }
    }
  }
}

/// A saved conversation that cannot be read.
public struct TranscriptError: Error, Sendable, Equatable, CustomStringConvertible {
  public let reason: String
  public var description: String { reason }
}

public import SwiftletJSON

/// Prompts without answers to compare with.
public struct Prompt: Sendable {
  public var id: String
  public var group: String
  /// The conversation up to the answer: `role` and `content`.
  public var messages: JSONValue
  /// What the user said last.
  public var text: String
}

/// A file of prompts: plain lines, or JSON Lines with `prompt`, `question`, `problem`, `text` or `messages`, and `id` and `family`
/// beside them. Both kinds of lines may stand in one file.
public enum PromptFile {
  enum Line {
    case text(String)
    case object(JSONValue)
  }

  /// Reads a file.
  /// - Parameter skipsBroken: counts lines that cannot be read instead of throwing.
  /// - Returns: the prompts, and the lines that were left out.
  /// - Throws: `TaskError.badFile` with the line.
  public static func prompts(
    _ bytes: [UInt8], name: String, skipsBroken: Bool = false
  ) throws(TaskError) -> (prompts: [Prompt], broken: [(line: Int, reason: String)]) {
    var prompts: [Prompt] = [], broken: [(line: Int, reason: String)] = [], ids: Set<String> = []
    for (line, content) in try lines(bytes, name: name, onBroken: skipsBroken ? { broken.append(($0, $1)) } : nil) {
      do throws(FieldError) {
        let prompt = try prompt(content, line: line)
        guard ids.insert(prompt.id).inserted else { throw FieldError("the id '\(prompt.id.prefix(80))' is there already") }
        prompts.append(prompt)
      } catch {
        guard skipsBroken else { throw .badFile(file: name, line: line, reason: error.reason) }
        broken.append((line, error.reason))
      }
    }
    guard !prompts.isEmpty else { throw .badFile(file: name, line: nil, reason: "has no prompts") }
    return (prompts, broken)
  }

  private static func prompt(_ line: Line, line number: Int) throws(FieldError) -> Prompt {
    switch line {
    case .text(let text):
      return Prompt(
        id: "prompts/\(number)", group: "prompts", messages: [["role": "user", "content": .string(text)]], text: text)
    case .object(let object):
      let group = object["family"]?.string ?? "prompts", id = object["id"]?.string ?? "\(group)/\(number)"
      if let messages = object["messages"] {
        // The answer is the teacher's to give.
        var kept = messages.elements ?? []
        while kept.last?["role"]?.string == "assistant" { kept.removeLast() }
        guard let last = kept.last, last["role"]?.string == "user", let text = last["content"]?.string, !text.isEmpty else {
          throw FieldError("messages: expected a list that has a user's message with a text before the answer")
        }
        return Prompt(id: id, group: group, messages: .array(kept), text: text)
      }
      for key in ["prompt", "question", "problem", "text"] where object[key] != nil {
        guard let text = object[key]?.string, !text.isEmpty else {
          throw FieldError("\(key): found a \(object[key]?.typeName ?? "null"), expected a text")
        }
        return Prompt(id: id, group: group, messages: [["role": "user", "content": .string(text)]], text: text)
      }
      throw FieldError("found no prompt, question, problem, text or messages, expected one of them")
    }
  }

  /// The lines that are not empty, counted from 1.
  /// - Parameter onBroken: told of lines that cannot be read; nil throws.
  static func lines(
    _ bytes: [UInt8], name: String, onBroken: ((Int, String) -> Void)? = nil
  ) throws(TaskError) -> [(line: Int, content: Line)] {
    var result: [(line: Int, content: Line)] = []
    for (index, line) in bytes.withoutByteOrderMark.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      func broken(_ reason: String) throws(TaskError) {
        guard let onBroken else { throw .badFile(file: name, line: index + 1, reason: reason) }
        onBroken(index + 1, reason)
      }
      guard let first = line.first(where: { ![0x20, 0x09, 0x0D].contains($0) }) else { continue }
      guard let text = String(validating: line, as: UTF8.self), !line.contains(0) else {
        try broken("is no text in UTF-8")
        continue
      }
      guard first == UInt8(ascii: "{") else {
        result.append((index + 1, .text(String(text[...].trimmed(\.isWhitespace)))))
        continue
      }
      do {
        result.append((index + 1, .object(try JSONValue(parsing: Array(line)))))
      } catch {
        try broken("is no JSON: \(error)")
      }
    }
    return result
  }
}

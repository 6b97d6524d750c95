import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletChatTemplates

/// What make_fixtures.py wrote.
enum Fixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

  static func json(_ name: String) throws -> JSONValue {
    try JSONValue(parsing: [UInt8](Data(contentsOf: folder.appending(path: name))))
  }

  static func names(withPrefix prefix: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// 2025-03-07 14:05:09 UTC.
  static let time = TemplateTime(secondsSince1970: 1_741_356_309)

  /// The conversations and the flags that each is rendered with.
  static func chats() throws -> [Chat] {
    let json = try json("conversations.json")
    let flags = try #require(json["flags"]?.elements)
    return try #require(json["conversations"]?.elements).flatMap { conversation in
      flags.map { Chat(conversation: conversation, flags: $0.members ?? []) }
    }
  }

  /// FNV-1a with 64 bits.
  static func hash(_ text: String) -> String {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

struct Chat {
  let conversation: JSONValue
  let flags: [JSONMember]

  func render(_ template: ChatTemplate) throws(TemplateError) -> String {
    var variables: [JSONMember] = [
      JSONMember(key: "bos_token", value: "<BOS>"), JSONMember(key: "eos_token", value: "<EOS>"),
    ]
    variables += conversation["variables"]?.members ?? []
    variables += flags
    return try template.render(
      messages: conversation["messages"] ?? .null, tools: conversation["tools"],
      addGenerationPrompt: flags.contains { $0.key == "add_generation_prompt" }, variables: variables, time: Fixtures.time)
  }
}

/// What became of a template: its text or the kind of its error, like the fixtures have it.
enum Outcome: Equatable {
  case text(String)
  case raised(String)
  case error
  case unsupported(String)

  init(_ render: () throws(TemplateError) -> String) {
    do throws(TemplateError) {
      self = .text(try render())
    } catch {
      switch error.kind {
      case .raised(_, let message): self = .raised(message)
      case .unsupported: self = .unsupported("\(error)")
      default: self = .error
      }
    }
  }

  init(_ fixture: JSONValue) {
    if let text = fixture["text"]?.string {
      self = .text(text)
    } else if let message = fixture["raised"]?.string {
      self = .raised(message)
    } else {
      self = .error
    }
  }

  /// How other-templates.json has it.
  var summary: String {
    switch self {
    case .text(let text): Fixtures.hash(text)
    case .raised: "raised"
    case .error: "error"
    case .unsupported(let reason): reason
    }
  }

  static func == (left: Outcome, right: Outcome) -> Bool {
    switch (left, right) {
    // Swift's == would not see a difference between canonically equivalent texts.
    case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
    case (.raised(let left), .raised(let right)): left.utf8.elementsEqual(right.utf8)
    case (.error, .error): true
    default: false
    }
  }
}

import SwiftletJSON
import Testing

@testable import SwiftletChatTemplates

struct MutationTests {
  /// SplitMix64.
  struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  static let words = [
    "{%", "%}", "{{", "}}", "{#", "#}", "-", "+", "~", "(", ")", "[", "]", "{", "}", "'", "\"", "\\", "|", ".", ",", ":", "=",
    "==", "<",
    "not ", " in ", " is ", " if ", " else ", " and ", " or ", "{% if x %}", "{% endif %}", "{% for x in y %}", "{% endfor %}",
    "{% else %}", "{% set x = 1 %}", "{% macro f() %}", "{% endmacro %}", "{% raw %}", "{% endraw %}", "{% break %}",
    "namespace(",
    "loop.", "messages", "tools", "none", "true", "0", "1", "-1", "9223372036854775807", "1e308", "|tojson", "|length", "|list",
    "|string",
    "|map(", "|sort", "|indent(", "|default(", ".split(", ".items()", ".format(", "[::-1]", "[1:]", "\n", "\r", "\u{1F600}",
    "e\u{301}",
  ]

  static func mutated(_ source: String, _ other: String, _ generator: inout Generator) -> String {
    var scalars = Array(source.unicodeScalars)
    let others = Array(other.unicodeScalars)
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let start = Int.random(in: 0...scalars.count, using: &generator)
      let end = min(scalars.count, start + Int.random(in: 0...12, using: &generator))
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: scalars.removeSubrange(start..<end)
      case 1: scalars.insert(contentsOf: (words.randomElement(using: &generator) ?? "").unicodeScalars, at: start)
      case 2: scalars.replaceSubrange(start..<end, with: (words.randomElement(using: &generator) ?? "").unicodeScalars)
      case 3:
        let from = Int.random(in: 0...others.count, using: &generator)
        scalars.insert(contentsOf: others[from..<min(others.count, from + 60)], at: start)
      default: scalars.removeSubrange(start...)
      }
      if scalars.isEmpty { break }
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// Whatever happens to a template, it renders or fails with an error.
  @Test func mutatedTemplatesNeverCrash() throws {
    let chats = try Fixtures.chats()
    var sources = try Fixtures.names(withPrefix: "template-").map { try Fixtures.json($0)["source"]?.string ?? "" }
    sources += try #require(try Fixtures.json("other-templates.json").members).compactMap { $0.value["source"]?.string }
    let snippets = try #require(try Fixtures.json("snippets.json")["snippets"]?.elements).compactMap { $0["source"]?.string }
    let variables = try #require(try Fixtures.json("snippets.json")["variables"]?.members)
    var generator = Generator(state: 1)
    var rendered = 0
    for number in 0..<12_000 {
      let isSnippet = number % 2 == 0
      let pool = isSnippet ? snippets : sources
      let source = Self.mutated(
        pool.randomElement(using: &generator) ?? "", pool.randomElement(using: &generator) ?? "", &generator)
      do throws(TemplateError) {
        let template = try ChatTemplate(source: source)
        if isSnippet {
          _ = try template.render(variables: variables, time: Fixtures.time)
        } else if let chat = chats.randomElement(using: &generator) {
          _ = try chat.render(template)
        }
        rendered += 1
      } catch {
        #expect(!"\(error)".isEmpty)
      }
    }
    #expect(rendered > 1000)
  }
}

import SwiftletJSON
import Testing

@testable import SwiftletChatTemplates

struct RenderingTests {
  @Test(arguments: try Fixtures.names(withPrefix: "template-"))
  func templateRendersLikeTransformers(name: String) throws {
    let fixture = try Fixtures.json(name)
    let template = try ChatTemplate(source: try #require(fixture["source"]?.string))
    let results = try #require(fixture["results"]?.elements).flatMap { $0.elements ?? [] }
    let chats = try Fixtures.chats()
    #expect(results.count == chats.count)
    for (place, (chat, result)) in zip(chats, results).enumerated() {
      let outcome = Outcome { () throws(TemplateError) in try chat.render(template) }
      #expect(outcome == Outcome(result), "conversation \(place / 4), flags \(place % 4)")
    }
  }

  /// Templates of other models, for which only hashes of the texts are kept.
  @Test func otherTemplatesRenderLikeTransformers() throws {
    let chats = try Fixtures.chats()
    let templates = try #require(try Fixtures.json("other-templates.json").members)
    #expect(templates.count == 62)
    for member in templates {
      let template = try ChatTemplate(source: try #require(member.value["source"]?.string))
      let results = try #require(member.value["results"]?.string).split(separator: " ").map { String($0) }
      #expect(results.count == chats.count)
      for (place, (chat, result)) in zip(chats, results).enumerated() {
        let outcome = Outcome { () throws(TemplateError) in try chat.render(template) }
        #expect(outcome.summary == result, "\(member.key), conversation \(place / 4), flags \(place % 4)")
      }
    }
  }

  /// What jinja2 renders and this module refuses, naming it.
  static let refusedSnippets: Set<String> = [
    "{{ 2 ** -1 }}", "{{ 2 ** 0.5 }}", "{{ xs.0.real }}", "{{ s.startswith('e', 1) }}",
    "{% for x in range(3) recursive %}{{ x }}{% endfor %}",
  ]

  @Test func snippetsRenderLikeJinja() throws {
    let fixture = try Fixtures.json("snippets.json")
    let variables = try #require(fixture["variables"]?.members)
    let snippets = try #require(fixture["snippets"]?.elements)
    #expect(snippets.count > 1000)
    var refused: Set<String> = []
    for snippet in snippets {
      let source = try #require(snippet["source"]?.string)
      let outcome = Outcome { () throws(TemplateError) in
        try ChatTemplate(source: source).render(variables: variables, time: Fixtures.time)
      }
      let expected = Outcome(snippet)
      if case .unsupported = outcome {
        if expected != .error { refused.insert(source) }
      } else {
        #expect(outcome == expected, "\(source)")
      }
    }
    #expect(refused == Self.refusedSnippets)
  }

  @Test func rendersSimpleConversation() throws {
    let template = try ChatTemplate(
      source: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}")
    let text = try template.render(
      messages: [["role": "user", "content": "Hi\r\n"]], addGenerationPrompt: true, time: Fixtures.time)
    #expect(text.utf8.elementsEqual("<user>Hi\r\n<a>".utf8))
  }

  @Test func comparesByScalars() throws {
    let template = try ChatTemplate(source: "{{ a == b }} {{ a|length }} {{ b|length }} {{ {a: 1, b: 2}|length }}")
    let text = try template.render(
      variables: [JSONMember(key: "a", value: "\u{E9}"), JSONMember(key: "b", value: "e\u{301}")], time: Fixtures.time)
    #expect(text == "False 1 2 2")
  }

  @Test func timeIsTheCallers() throws {
    let template = try ChatTemplate(source: "{{ strftime_now('%d %B %Y %H:%M') }}")
    func text(_ seconds: Int, _ offset: Int = 0) throws -> String {
      try template.render(
        messages: [], addGenerationPrompt: false,
        time: TemplateTime(secondsSince1970: seconds, secondsFromGMT: offset))
    }
    #expect(try text(0) == "01 January 1970 00:00")
    #expect(try text(-1) == "31 December 1969 23:59")
    #expect(try text(951_782_400) == "29 February 2000 00:00")
    #expect(try text(951_782_400, -3600) == "28 February 2000 23:00")
    #expect(try text(4_107_542_400) == "01 March 2100 00:00")
    #expect(try text(.max).hasSuffix(":59") || text(.max).isEmpty == false)
    #expect(try text(.min, .min).isEmpty == false)
  }

  @Test func daysAreRead() throws {
    for (date, seconds) in [
      ("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2000-03-01", 951_868_800), ("2100-03-01", 4_107_542_400),
      ("1969-12-31", -86_400), ("2024-07-26", 1_721_952_000), ("2026-01-31", 1_769_817_600),
    ] {
      #expect(TemplateTime(date: date) == TemplateTime(secondsSince1970: seconds), "\(date)")
    }
    for date in [
      "", "2026", "2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "0000-01-01", "26-01-01", "2026-1-1", "２０２６-01-01",
      "2026-01-01 ",
    ] {
      #expect(TemplateTime(date: date) == nil, "\(date)")
    }
  }
}

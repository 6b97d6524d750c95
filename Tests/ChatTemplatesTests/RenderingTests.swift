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

  @Test func otherTemplatesRenderLikeTransformers() throws {
    let chats = try Fixtures.chats()
    var refused: [String] = []
    for member in try #require(try Fixtures.json("other-templates.json").members) {
      let template: ChatTemplate
      do throws(TemplateError) {
        template = try ChatTemplate(source: member.value["source"]?.string ?? "")
      } catch {
        refused.append("\(member.key): \(error)")
        continue
      }
      let results = try #require(member.value["results"]?.string).split(separator: " ")
      #expect(results.count == chats.count)
      var equal = 0
      var first = ""
      for (place, (chat, result)) in zip(chats, results).enumerated() {
        var rendered: String
        var message = ""
        do throws(TemplateError) {
          rendered = Fixtures.hash(try chat.render(template))
        } catch {
          message = "\(error)"
          if case .raised = error { rendered = "raised" } else { rendered = "error" }
        }
        if rendered == result { equal += 1 } else if first.isEmpty { first = "\(place / 4)/\(place % 4) \(result) \(rendered) \(message)" }
      }
      print("OTHER", member.key, "\(equal)/\(results.count)", first)
    }
    print("REFUSED", refused)
  }

  @Test func snippetsRenderLikeJinja() throws {
    let fixture = try Fixtures.json("snippets.json")
    let variables = try #require(fixture["variables"]?.members)
    for snippet in try #require(fixture["snippets"]?.elements) {
      let source = try #require(snippet["source"]?.string)
      var message = ""
      let outcome = Outcome { () throws(TemplateError) in
        do throws(TemplateError) {
          let template = try ChatTemplate(source: source)
          return try template.render(variables: variables, time: Fixtures.time)
        } catch {
          message = "\(error)"
          throw error
        }
      }
      if outcome != Outcome(snippet) {
        if case .unsupported = outcome, Outcome(snippet) == .error { continue }
        print("SNIP", source.debugDescription, "|||", outcome, "|||", Outcome(snippet), message)
      }
    }
  }
}

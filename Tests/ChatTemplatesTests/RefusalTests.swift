import SwiftletJSON
import Testing

@testable import SwiftletChatTemplates

struct RefusalTests {
  @Test(arguments: [
    ("{{ x }}\n{{ x|wordwrap }}", 2, "the filter 'wordwrap'"),
    ("{{ x|default('a')|a.b }}", 1, "the filter 'a.b'"),
    ("\n\n{% if x is escaped %}{% endif %}", 3, "the test 'escaped'"),
    ("{% if x %}\r\n{% include 'y' %}{% endif %}", 2, "the statement 'include'"),
    ("{% block b %}{% endblock %}", 1, "the statement 'block'"),
    ("{% import 'a' as b %}", 1, "the statement 'import'"),
    ("{% extends 'a' %}", 1, "the statement 'extends'"),
    ("{% do x.append(1) %}", 1, "the statement 'do'"),
    ("{% autoescape true %}{% endautoescape %}", 1, "the statement 'autoescape'"),
    ("a\n{% for x in y recursive %}{% endfor %}", 2, "a recursive loop"),
    ("{{\n f(*x) }}", 2, "unpacking arguments with '*'"),
    ("{{ f(**x) }}", 1, "unpacking arguments with '*'"),
    ("{{ 'a'\n.zfill(3) }}", 2, "the method 'zfill'"),
    ("{{ x.copy() }}", 1, "the method 'copy'"),
    ("{{ cycler('a') }}", 1, "the function 'cycler'"),
    ("{{ x[1, 2] }}", 1, "a subscript of several values"),
    ("{{ x|map('wordcount') }}", 1, "the filter 'wordcount'"),
    ("{{ x|select('escaped') }}", 1, "the test 'escaped'"),
    ("{{ x|selectattr('a', 'escaped') }}", 1, "the test 'escaped'"),
    ("{{ 99999999999999999999 }}", 1, "the number 99999999999999999999, which does not fit 64 bits,"),
    ("{{ '\\N{DASH}' }}", 1, "the escape '\\N'"),
    ("{{ '\\ud800' }}", 1, "the code point d800 in a string"),
  ])
  func templateIsRefusedWhenRead(source: String, line: Int, construct: String) {
    #expect(throws: TemplateError.unsupported(line: line, construct: construct)) { try ChatTemplate(source: source) }
  }

  @Test func refusalReadsWell() {
    let error = TemplateError.unsupported(line: 12, construct: "the filter 'foo'")
    #expect("\(error)" == "chat template, line 12: the filter 'foo' is not supported")
  }

  @Test func errorsNameTheFile() throws {
    #expect(throws: TemplateError(.unsupported(line: 1, construct: "the filter 'foo'"), file: "a/chat_template.jinja")) {
      try ChatTemplate(source: "{{ x|foo }}", file: "a/chat_template.jinja")
    }
    let template = try ChatTemplate(source: "{{ x.y.z }}", file: "model.gguf")
    let error = #expect(throws: TemplateError.self) { try template.render(variables: [], time: Fixtures.time) }
    #expect(error?.description == "model.gguf: chat template, line 1: 'x' is undefined")
  }

  @Test(arguments: [
    ("{{ 1 }}\n{% if x %}", 2), ("{% for x in\n\n %}{% endfor %}", 3), ("a\nb {{ 'x }}", 2), ("{# a\n\n b", 1),
    ("{% raw %}\nx", 1), ("{{ a\n b }}", 2), ("{%- set x = 1 -%}\n\n\n{{ ) }}", 4), ("{% raw %}\n\n{% endraw %}\n{{ ] }}", 4),
  ])
  func syntaxErrorsTellTheLine(source: String, line: Int) throws {
    do throws(TemplateError) {
      _ = try ChatTemplate(source: source)
      Issue.record("\(source) was read")
    } catch {
      guard case .syntax(line, _) = error.kind else {
        Issue.record("\(source): \(error)")
        return
      }
    }
  }

  @Test(arguments: [
    ("a\n{{ x.y }}", 2), ("{{ 1 }}\n{%- if yes -%}\n{{\n 1 + 'a' }}{% endif %}", 4), ("{% for x in 5 %}{% endfor %}", 1),
    ("{% macro f(a) %}\n\n{{ a.b.c }}{% endmacro %}\n\n{{ f() }}", 3), ("\n{{ [1]\n|first\n|abs\n|join }}", 5),
    ("{% set x = 1\n // 0 %}", 2), ("\n\n{{ []|tojson|first|int < 'a' }}", 3),
  ])
  func failuresTellTheLine(source: String, line: Int) throws {
    let template = try ChatTemplate(source: source)
    do throws(TemplateError) {
      _ = try template.render(variables: [JSONMember(key: "yes", value: true)], time: Fixtures.time)
      Issue.record("\(source) was rendered")
    } catch {
      guard case .runtime(line, _) = error.kind else {
        Issue.record("\(source): \(error)")
        return
      }
    }
  }

  @Test func templatesMayRefuse() throws {
    let template = try ChatTemplate(source: "a\n{{ raise_exception('Only ' ~ 1) }}")
    #expect(throws: TemplateError.raised(line: 2, message: "Only 1")) {
      try template.render(messages: [], addGenerationPrompt: false, time: Fixtures.time)
    }
  }

  @Test func messagesMustBeObjects() throws {
    let template = try ChatTemplate(source: "a")
    for messages: JSONValue in [["role": "user"], [1], [["role": "user"], nil], "x"] {
      #expect {
        try template.render(messages: messages, addGenerationPrompt: false, time: Fixtures.time)
      } throws: { error in
        if case .input? = (error as? TemplateError)?.kind { true } else { false }
      }
    }
  }

  @Test func undefinedIsNamed() throws {
    let template = try ChatTemplate(source: "{{ messages[0].tool_calls[0].name }}")
    #expect(throws: TemplateError.runtime(line: 1, reason: "'dict' has no attribute 'tool_calls'")) {
      try template.render(messages: [["role": "user"]], addGenerationPrompt: false, time: Fixtures.time)
    }
  }
}

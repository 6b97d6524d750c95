import Foundation
import SwiftletJSON
import Synchronization
import Testing

@testable import SwiftletChatTemplates

struct HostileTemplateTests {
  /// The kind of result, computed on the smallest stack that a thread of Apple's systems has by default.
  static func outcome(
    of source: String, variables: [JSONMember] = [], steps: Int = RenderingLimits.steps
  ) -> String {
    let result = Mutex("")
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      let text: String
      do throws(TemplateError) {
        text =
          "text of \(try ChatTemplate(source: source).render(variables: variables, time: Fixtures.time, steps: steps).utf8.count)"
      } catch {
        text =
          switch error.kind {
          case .syntax: "syntax"
          case .unsupported: "unsupported"
          case .runtime: "runtime"
          case .limit: "limit"
          case .raised: "raised"
          case .input: "input"
          }
      }
      result.withLock { $0 = text }
      done.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    done.wait()
    return result.withLock { $0 }
  }

  static func nested(_ open: String, _ middle: String, _ close: String, _ count: Int) -> String {
    String(repeating: open, count: count) + middle + String(repeating: close, count: count)
  }

  /// Assigns to many names.
  static func assignments(_ count: Int, _ prefix: String = "") -> String {
    (0..<count).map { "{% set \(prefix)a\($0)=1 %}" }.joined()
  }

  static func macro(_ count: Int) -> String {
    "{% macro f(" + (0..<count).map { "a\($0)" }.joined(separator: ",") + ") %}{% endmacro %}"
  }

  /// The last first.
  static func namedArguments(_ count: Int) -> String { (0..<count).reversed().map { "a\($0)=1" }.joined(separator: ",") }

  @Test(arguments: [
    // Deep templates
    nested("(", "1", ")", 100_000).inOutput, nested("[", "1", "]", 100_000).inOutput, nested("{1:", "1", "}", 100_000).inOutput,
    nested("not ", "1", "", 100_000).inOutput, nested("-", "1", "", 100_000).inOutput, nested("x[", "1", "]", 100_000).inOutput,
    nested("f(", "1", ")", 100_000).inOutput, nested("x|d(", "1", ")", 100_000).inOutput,
    nested("1 if x else ", "1", "", 100_000).inOutput, nested("{% if x %}", "", "{% endif %}", 100_000),
    nested("{% for x in y %}", "", "{% endfor %}", 100_000), nested("{% macro f() %}", "", "{% endmacro %}", 100_000),
    nested("{% set x %}", "", "{% endset %}", 100_000), "{% set " + nested("(", "x", ")", 100_000) + " = 1 %}",
    "{{ 1 " + String(repeating: "if 1 ", count: 100_000) + "}}", nested("x is in (", "x", ")", 100_000).inOutput,
    // Endless work
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
    "{% macro f() %}{% for x in [1] %}{% if true %}{{ [f()] }}{% endif %}{% endfor %}{% endmacro %}{{ f() }}",
    "{{ range(100001) }}", "{{ range(9223372036854775807)|list }}",
    // Endless text
    "{{ 'x' * 9999999999 }}", "{{ 'xx' * 9223372036854775807 }}", "{{ [1, 2] * 9223372036854775807 }}", "{{ [1] * 99999999 }}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x|replace('x', 'xx') %}{% endfor %}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x.replace('', 'xx') %}{% endfor %}",
    "{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x.join([n.x, n.x]) %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}",
    "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
    "{% set x = 'x' * 9999999 %}{% for i in range(9999) %}{{ x }}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = n.l + [x ~ i] %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% if 'y' in x %}{% endif %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% set y = x|length %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% set y = x == x[:-1] ~ 'y' %}{% endfor %}",
    "{{ 'x'|indent(9999999999) }}", "{{ '\n\n\n'|indent(15000000, true, true) }}", "{{ [[[]]]|tojson(indent=9999999999) }}",
    "{{ [1, 2, 3]|tojson(indent=15000000) }}",
    "{% set x = 'x' * 9000000 %}{{ x.split('') }}{{ x|list|length }}{{ x.replace(x, x)|length }}{{ x.split('x')|length }}",
    // Work that is in reading long texts, many names, long lists
    "{% set x = ' ' * 15000000 %}{% for i in range(99999) %}{% set y = x|trim %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% set y = 'y'.find(x) %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% set y = strftime_now(x) %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% for i in range(99999) %}{% set y = 'y'.startswith((x, x)) %}{% endfor %}",
    "{% set x = 'x' * 15000000 %}{% set d = {x: 1} %}{% for i in range(99999) %}{% set y = d[x] %}{% endfor %}",
    "{% set l = [1] * 999999 %}{% for i in range(99999) %}{% for j in l %}{% break %}{% endfor %}{% endfor %}",
    assignments(1_900) + "{% for i in range(99999) %}{% for j in range(999) %}{{ a0 }}{% endfor %}{% endfor %}",
    "{% set n = namespace() %}" + assignments(3_000, "n.")
      + "{% for i in range(99999) %}{% for j in range(999) %}{{ n.a2999 }}{% endfor %}{% endfor %}",
    macro(250) + "{% for i in range(99999) %}{{ f(\(namedArguments(250))) }}{% endfor %}",
    // Many names
    assignments(200_000), macro(60_000), "{% macro f() %}{{ kwargs }}{% endmacro %}{{ f(\(namedArguments(60_000))) }}",
    "{% set " + String(repeating: "x", count: 100_000) + " = 1 %}",
    // Deep values
    "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
    "{% set n = namespace(x={}) %}{% for i in range(99999) %}{% set n.x = {'a': n.x} %}{% endfor %}",
    "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = n.x|map('string') %}{% endfor %}",
    "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x].count %}{% endfor %}",
    "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% for y in [n.x] %}{% set n.x = loop %}{% endfor %}{% endfor %}",
    "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
    "{% set h = namespace() %}{% set h.c = h %}{% for i in range(99999) %}{% set m = namespace(p=h.c) %}{% set h.c = m %}{% endfor %}{{ h }}",
  ])
  func hostileTemplateIsStopped(source: String) {
    let start = ContinuousClock.now
    let outcome = Self.outcome(of: source, steps: 2_000_000)
    let duration = ContinuousClock.now - start
    #expect(["limit", "runtime"].contains(outcome), "\(source.prefix(200))")
    #expect(duration < .seconds(5), "\(source.prefix(200)) took \(duration)")
  }

  /// Many blocks and conditionals, each among many names.
  @Test func largeTemplatesAreReadInLinearTime() throws {
    let names = Self.assignments(1_900)
    let blocks = String(repeating: "{% for x in [] %}{% endfor %}{% if a0 %}{% elif a1 %}{% endif %}", count: 20_000)
    let clock = ContinuousClock()
    let elapsed = try clock.measure { _ = try ChatTemplate(source: names + blocks) }
    #expect(elapsed < .seconds(3), "\(elapsed)")
  }

  /// As deep as the limits allow, which must fit the stack.
  @Test(arguments: [
    nested("(", "1", ")", 60).inOutput, nested("[", "1", "]", 60).inOutput, nested("[[1]|first|d(", "1", ")]", 25).inOutput,
    nested("1 if 0 else (", "1", ")", 30).inOutput, nested("{% if 1 %}", "x", "{% endif %}", 60),
    nested("{% for x in [1] %}", "x", "{% endfor %}", 60), nested("{% filter trim %}", "x", "{% endfilter %}", 60),
    nested("{% set x %}", "x", "{% endset %}", 60), nested("not ", "1", "", 60).inOutput,
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{% set n = namespace(x=[]) %}{% for i in range(190) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}{{ n.x|tojson(indent=1) }}{{ n.x == [n.x][0] }}",
    "{% set n = namespace(x=['a']) %}{% for i in range(190) %}{% set n.x = n.x|map('upper') %}{% endfor %}{{ n.x|list }}",
    // Chains of scopes, macros and namespaces, which must be taken apart without recursion.
    "{% set n = namespace(m=1) %}{% for i in range(50000) %}{% set p = n.m %}{% macro f() %}{{ p }}{% endmacro %}{% set n.m = f %}{% endfor %}",
    "{% set h = namespace() %}{% set h.c = h %}{% for i in range(50000) %}{% set m = namespace(p=h.c) %}{% set h.c = m %}{% endfor %}",
    "{% set n = namespace(l=1) %}{% for i in range(50000) %}{% set p = n.l %}{% for y in [1] if p %}{% set n.l = loop %}{% endfor %}{% endfor %}",
    "{{ 1" + String(repeating: " + 1", count: 50_000) + " }}", "{{ 'a'" + String(repeating: "|trim", count: 50_000) + " }}",
    "{{ 1" + String(repeating: " and 1", count: 50_000) + " }}",
    "{% if 0 %}" + String(repeating: "{% elif 0 %}", count: 5_000) + "{% endif %}",
  ])
  func deepestTemplateFitsASmallStack(source: String) {
    #expect(Self.outcome(of: source).hasPrefix("text"), "\(source.prefix(200))")
  }

  @Test func deepVariablesAreRefused() {
    var value: JSONValue = "x"
    for _ in 0..<350 { value = [value] }
    #expect(Self.outcome(of: "{{ x }}", variables: [JSONMember(key: "x", value: value)]) == "limit")
  }

  @Test func hugeTemplateIsRefused() {
    #expect(Self.outcome(of: String(repeating: "x", count: 5 << 20)) == "limit")
  }

  @Test func conversationOfManyMessagesRenders() throws {
    let fixture = try Fixtures.json("template-deepseek-ai-DeepSeek-V3.2.json")
    let template = try ChatTemplate(source: try #require(fixture["source"]?.string))
    var messages: [JSONValue] = []
    for _ in 0..<300 {
      messages.append(["role": "user", "content": "question"])
      messages.append(["role": "assistant", "tool_calls": [["function": ["name": "f", "arguments": "{\"a\": 1}"]]]])
      messages.append(["role": "tool", "content": "result"])
    }
    let text = try template.render(messages: .array(messages), addGenerationPrompt: true, time: Fixtures.time)
    #expect(text.utf8.count > 30_000)
  }
}

extension String {
  fileprivate var inOutput: String { "{{ \(self) }}" }
}

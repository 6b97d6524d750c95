import SwiftletJSON
import Testing

@testable import SwiftletGeneration

@Suite struct ToolCallParserTests {
  typealias Piece = ToolCallParser.Piece

  struct Case: Sendable {
    var text: String
    var pieces: [Piece]

    init(_ text: String, _ pieces: [Piece]) {
      self.text = text
      self.pieces = pieces
    }
  }

  private static func call(_ name: String, _ arguments: String) -> [Piece] {
    [.callStart(name: name), .arguments(arguments), .callEnd]
  }

  /// A call that was cut off, and its text.
  private static func broken(_ name: String, _ arguments: String, _ text: String) -> [Piece] {
    [.callStart(name: name), .arguments(arguments), .callFailure(text)]
  }

  private static let hostile = #"{"a": "\"}</tool_call>{\\", "b\u00e9": [{}, "<｜tool▁call▁end｜>```😀"], "c": -1.5e3}"#

  private static let texts = [
    Case("", []), Case("Nothing to call.", [.content("Nothing to call.")]),
    Case("a < b, <tool>, <tool_cal", [.content("a < b, <tool>, <tool_cal")]),
    Case("{\"answer\": 1}", [.content("{\"answer\": 1}")]), Case("{\"name\": \"Ada\"", [.content("{\"name\": \"Ada\"")]),
    Case("{\"name\": \"Ada\"}", [.content("{\"name\": \"Ada\"}")]),
    Case("{\"name\": \"Ada\", \"tags\": [{}]}", [.content("{\"name\": \"Ada\", \"tags\": [{}]}")]),
    Case("</tool_call> {}", [.content("</tool_call> {}")]),
  ]

  private static let hermes = [
    Case(
      "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>",
      [.content("I look.")] + call("f", #"{"x": 1}"#)),
    Case(
      "<tool_call>{\"name\": \"f\"}</tool_call>\n<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>",
      call("f", "{}") + call("g", "{}")),
    Case("<tool_call>{\"name\": \"f\", \"arguments\": \(hostile)}</tool_call> Done.", call("f", hostile) + [.content(" Done.")]),
    Case("<tool_call>{\"name\":\"\\u0066\\\"\",\"parameters\":{ }\n}</tool_call>", call("f\"", "{ }")),
    Case("<tool_call>{\"id\": 7, \"name\": \"f\", \"arguments\": {\"x\": 1 }, \"y\": {}}</tool_call>", call("f", #"{"x": 1 }"#)),
    // Not before the name is known: the whole call at its end, in JSON of the parser's own.
    Case("<tool_call>{\"arguments\": {\"x\": 1}, \"name\": \"f\"}</tool_call>", call("f", #"{"x":1}"#)),
    Case("<tool_call>{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {}}}</tool_call>", call("f", "{}")),
    Case("<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"x\\\": 1}\"}</tool_call>", call("f", #"{"x": 1}"#)),
    // No closing mark, or a part of it.
    Case("<tool_call>{\"name\": \"f\"}", call("f", "{}")), Case("<tool_call>{\"name\": \"f\"}\n</tool", call("f", "{}")),
    Case("<tool_call>{\"name\": \"f\", \"arguments\": {}}\nDone.", call("f", "{}") + [.content("\nDone.")]),
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": {}}<tool_call>{\"name\": \"g\", \"arguments\": {}}",
      call("f", "{}") + call("g", "{}")),
    // No call.
    Case("<tool_call>{broken</tool_call>", [.content("<tool_call>{broken</tool_call>")]),
    Case("<tool_call>{\"name\": ", [.content("<tool_call>{\"name\": ")]),
    Case("<tool_call>{\"name\": \"f\", \"arguments\": {", [.content("<tool_call>{\"name\": \"f\", \"arguments\": {")]),
    Case(
      "Write <tool_call>{\"name\": \"f\", \"arguments\": {...}}</tool_call>.",
      [.content("Write <tool_call>{\"name\": \"f\", \"arguments\": {...}}</tool_call>.")]),
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
      [
        .content("<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>")
      ]),
    Case(
      "<tool_call>{\"name\": 3, \"arguments\": {}}</tool_call>",
      [
        .content("<tool_call>{\"name\": 3, \"arguments\": {}}</tool_call>")
      ]),
    Case("<tool_call>no<tool_call>{\"name\": \"f\"}</tool_call>", [.content("<tool_call>no")] + call("f", "{}")),
    // Cut off, or no JSON from some place on.
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"a}",
      broken("f", #"{"x": "a}"#, "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"a}")),
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 'a'}}</tool_call>",
      broken("f", #"{"x": "#, "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": ") + [.content("'a'}}</tool_call>")]),
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1.2.3}}</tool_call>",
      broken("f", #"{"x": 1.2.3}"#, "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1.2.3}") + [.content("}</tool_call>")]),
    Case(
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1} oh",
      broken("f", #"{"x": 1}"#, "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1}") + [.content(" oh")]),
  ]

  private static let deepseek = [
    Case(
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": \"é\"}\n```<｜tool▁call▁end｜>\n"
        + "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      call("f", #"{"x": "é"}"#) + call("g", "{}")),
    Case(
      "Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"x\": [1, 2]}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      [.content("Well.")] + call("f", #"{"x": [1, 2]}"#)),
    Case(
      "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n\(hostile)\n```<｜tool▁call▁end｜>!", call("f", hostile) + [.content("!")]
    ),
    Case("<｜tool▁call▁begin｜>f<｜tool▁sep｜> \(hostile) <｜tool▁call▁end｜>!", call("f", hostile) + [.content("!")]),
    Case("<｜tool▁call▁begin｜>function<｜tool▁sep｜>{\"x\": 1}<｜tool▁call▁end｜>", call("function", #"{"x": 1}"#)),
    Case("<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}", call("f", "{}")),
    Case("<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n``", call("f", "{}")),
    Case("<｜tool▁call▁begin｜>f, <｜tool▁call▁end｜>", [.content("<｜tool▁call▁begin｜>f, <｜tool▁call▁end｜>")]),
    Case("<｜tool▁call▁begin｜><｜tool▁sep｜>{}", [.content("<｜tool▁call▁begin｜><｜tool▁sep｜>{}")]),
    Case("<｜tool▁call▁begin｜>f<｜tool▁sep｜>3", [.content("<｜tool▁call▁begin｜>f<｜tool▁sep｜>3")]),
    Case(
      "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```js\n{}\n```",
      [
        .content("<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```js\n{}\n```")
      ]),
    Case(
      "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": [1, ",
      broken("f", #"{"x": [1, "#, "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": [1, ")),
    Case(
      "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"x\": ]}<｜tool▁call▁end｜>",
      broken("f", #"{"x": "#, "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"x\": ") + [.content("]}<｜tool▁call▁end｜>")]),
  ]

  private static let markup = [
    Case(
      "I look.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n"
        + "<｜DSML｜parameter name=\"x\" string=\"true\">a \"b\"\n </parameter> é</｜DSML｜parameter>\n"
        + "<｜DSML｜parameter name=\"y\" string=\"false\">{\"z\": [1, \"</｜DSML｜parameter>\\\"<\"]}</｜DSML｜parameter>\n"
        + "</｜DSML｜invoke>\n<｜DSML｜invoke name=\"g\">\n\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
      [.content("I look.")]
        + call("f", #"{"x": "a \"b\"\n </parameter> é", "y": {"z": [1, "</｜DSML｜parameter>\"<"]}}"#) + call("g", "{}")),
    Case(
      "<｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"x\" string=\"true\"></｜DSML｜parameter></｜DSML｜invoke> Done.",
      call("f", #"{"x": ""}"#) + [.content(" Done.")]),
    Case("<｜DSML｜invoke name=\"f\">\n</｜DSML｜invoke>\n</｜DSML｜func", call("f", "{}")),
    // No call: cut off, no JSON, a name twice, no name, something else in between.
    same("<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"x\" string=\"true\">a"),
    same("<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"x\" string=\"false\">a</｜DSML｜parameter>\n</｜DSML｜invoke>"),
    same(
      "<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"x\" string=\"false\">1</｜DSML｜parameter>\n"
        + "<｜DSML｜parameter name=\"x\" string=\"false\">1</｜DSML｜parameter>\n</｜DSML｜invoke>"),
    same("<｜DSML｜invoke name=\"\">\n</｜DSML｜invoke>"), same("<｜DSML｜invoke name=\"f\">\n...\n</｜DSML｜invoke>"),
  ]

  /// A text without calls.
  private static func same(_ text: String) -> Case { Case(text, [.content(text)]) }

  private static let llama = [
    Case("{\"name\": \"f\", \"parameters\": {\"x\": 1}}", call("f", #"{"x": 1}"#)),
    Case("\n{\"name\": \"f\", \"parameters\": \(hostile)}\n", call("f", hostile)),
    Case("{\"type\": \"function\", \"name\": \"f\", \"parameters\": {\"x\": 1}}", call("f", #"{"x": 1}"#)),
    Case(
      "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"x\": 1}}}", call("f", #"{"x":1}"#)),
    Case(
      " {\"name\": \"f\", \"parameters\": {\"x\": {",
      broken("f", #"{"x": {"#, " {\"name\": \"f\", \"parameters\": {\"x\": {")),
    // Nothing may come behind it.
    Case(
      "{\"name\": \"f\", \"parameters\": {\"x\": 1}} is it.",
      broken("f", #"{"x": 1}"#, "{\"name\": \"f\", \"parameters\": {\"x\": 1}") + [.content("} is it.")]),
  ]

  static let cases = texts + hermes + deepseek + markup + llama

  /// Whatever is cut where: into two at every place, and into single scalars.
  @Test(arguments: cases) func findsCalls(_ test: Case) {
    let scalars = Array(test.text.unicodeScalars)
    func text(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }
    for place in 0...scalars.count {
      #expect(Self.parse([text(0..<place), text(place..<scalars.count)]) == test.pieces, "cut at \(place)")
    }
    #expect(Self.parse(scalars.indices.map { text($0..<($0 + 1)) }) == test.pieces, "in single scalars")
  }

  /// A stream tells the name before the arguments are complete, and every byte of them as soon as it is there.
  @Test(arguments: [
    ("<tool_call>\n{\"name\": \"f\", \"arguments\": ", "}\n</tool_call>"),
    ("<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n", "\n```<｜tool▁call▁end｜>"),
    ("<｜tool▁call▁begin｜>f<｜tool▁sep｜>", "<｜tool▁call▁end｜>"), ("{\"name\": \"f\", \"parameters\": ", "}"),
  ]) func argumentsComeAsTheyAreWritten(_ begin: String, _ end: String) throws {
    var parser = ToolCallParser()
    #expect(parser.append(begin).isEmpty && parser.append("{").isEmpty)
    #expect(parser.append("\"") == [.callStart(name: "f"), .arguments("{\"")])
    for scalar in Self.hostile.unicodeScalars.dropFirst(2).dropLast() {
      #expect(parser.append(String(scalar)) == [.arguments(String(scalar))])
    }
    #expect(parser.append("}") + parser.append(end) + parser.finish() == [.arguments("}"), .callEnd])
  }

  /// Long texts that never become a call take no time that grows with the square of their length.
  @Test func hostileTextsAreRead() {
    let parts = [
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"", "<tool_call>{\"", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
      "<｜DSML｜invoke name=\"", "<｜DSML｜invoke name=\"a\"><｜DSML｜parameter name=\"x\" string=\"true\">",
      "<｜DSML｜invoke name=\"a\"><｜DSML｜parameter name=\"x\" string=\"false\">\"",
    ]
    for part in parts {
      let text = String(repeating: part, count: 2000)
      let collected = Self.collect(text)
      #expect(collected.calls.isEmpty && collected.content == text)
    }
    let deep =
      "<tool_call>{\"name\": \"f\", \"arguments\": " + String(repeating: "{\"a\":", count: 10_000) + "1"
      + String(repeating: "}", count: 10_001)
    #expect(Self.collect(deep).content == deep)
  }

  /// White space that is held back is not looked through again for each token that brings more of it.
  @Test(.timeLimit(.minutes(1))) func longWhiteSpaceIsRead() {
    let call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}"
    let markup = "<｜DSML｜invoke name=\"f\">"
    let space = "     \n\t ", count = 100_000
    for (begin, end) in [("", ""), ("", "a"), ("{", "\"name"), ("a", "<b"), (markup, "a")] {
      let pieces = Self.parse([begin] + Array(repeating: space, count: count) + [end])
      #expect(pieces == [.content(begin + String(repeating: space, count: count) + end)], "\(begin) \(end)")
    }
    for (begin, end) in [(call, ""), (call, "</tool_call>"), (markup, "</｜DSML｜invoke>")] {
      #expect(Self.parse([begin] + Array(repeating: space, count: count) + [end]) == Self.call("f", "{}"))
    }
    let bare = Self.parse(["{"] + Array(repeating: space, count: count) + ["\"name\": \"f\", \"parameters\": {}}"])
    #expect(bare == Self.call("f", "{}"))
  }

  private static func parse(_ parts: [String]) -> [Piece] {
    var parser = ToolCallParser()
    return joined(parts.flatMap { parser.append($0) } + parser.finish())
  }

  /// Neighbouring pieces of a kind as one.
  private static func joined(_ pieces: [Piece]) -> [Piece] {
    pieces.reduce(into: []) { result, piece in
      switch (result.last, piece) {
      case (.content(let before)?, .content(let text)): result[result.count - 1] = .content(before + text)
      case (.arguments(let before)?, .arguments(let text)): result[result.count - 1] = .arguments(before + text)
      default: result.append(piece)
      }
    }
  }

  /// What a whole answer has of a text.
  static func collect(_ text: String) -> (content: String, calls: [ToolCall]) {
    var result = (content: "", calls: [ToolCall]()), call = ToolCall(name: "", arguments: "")
    for piece in parse([text]) {
      switch piece {
      case .content(let text), .callFailure(let text): result.content += text
      case .callStart(let name): call = ToolCall(name: name, arguments: "")
      case .arguments(let text): call.arguments += text
      case .callEnd: result.calls.append(call)
      }
    }
    return result
  }
}

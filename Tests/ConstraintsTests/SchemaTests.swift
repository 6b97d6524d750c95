import Foundation
import SwiftletGeneration
import SwiftletJSON
import SwiftletTestSupport
import SwiftletTokenization
import Testing

@testable import SwiftletConstraints

/// What schemas allow, as texts; over a vocabulary of bytes.
@Suite struct SchemaTests {
  static let bytes = TokenTrie(vocabularySize: 256) { [UInt8($0)] }

  private func grammar(_ schema: String) throws -> CompiledGrammar {
    try CompiledGrammar(.schema(try JSONSchema(JSONValue(parsing: schema))), trie: Self.bytes)
  }

  private func accepts(_ grammar: CompiledGrammar, _ text: String) -> Bool {
    var matcher = Matcher(grammar)
    return matcher.accept(text.utf8) && matcher.isComplete
  }

  static let cases: [(schema: String, accepted: [String], refused: [String])] = [
    (
      #"{"type":"object"}"#, ["{}", #"{"a":1,"b":[{"c":null}]}"#, "{ }", "{\n  \"a\": true\n}"],
      ["[]", #"{"a":1,"a":2}"#, "{\"a\":1,}", "{\n\n}x"]
    ),
    (
      #"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["b"]}"#,
      [#"{"b":"x"}"#, #"{"a":1,"b":""}"#, #"{"a": -3, "b": "é\n"}"#],
      [#"{"a":1}"#, #"{"b":"x","a":1}"#, #"{"b":"x","c":1}"#, "{\"b\":\"\n\"}"]
    ),
    (
      #"{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"boolean"}}"#,
      ["{}", #"{"a":1,"z":true}"#, #"{"aa":false,"b":true}"#, #"{"x":true}"#],
      [#"{"a":true}"#, #"{"z":1}"#, #"{"z":true,"z":true}"#]
    ),
    (
      #"{"type":"object","patternProperties":{"^x-":{"type":"null"}},"additionalProperties":false}"#,
      [#"{"x-a":null,"x-b":null}"#, "{}"], [#"{"y":null}"#, #"{"x-a":1}"#, #"{"x-a":null,"x-a":null}"#]
    ),
    (
      #"{"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,"maxProperties":2}"#,
      [#"{"a":1,"c":2}"#, #"{"b":1,"c":2}"#], ["{}", #"{"a":1}"#, #"{"c":1}"#, #"{"a":1,"b":2,"c":3}"#]
    ),
    (
      #"{"type":"object","minProperties":2,"propertyNames":{"enum":["a","b"]}}"#, [#"{"b":1,"a":2}"#],
      [#"{"a":1}"#, #"{"c":1,"a":2}"#]
    ),
    (
      #"{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}"#, ["[1]", "[1, 2,3]"],
      ["[]", "[1,2,3,4]", "[1,]", #"["a"]"#]
    ),
    (
      #"{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}"#, ["[]", #"["a"]"#, #"["a",1]"#],
      ["[1]", #"["a",1,2]"#]
    ),
    (
      #"{"type":"array","uniqueItems":true,"minItems":2,"items":{"enum":["a",1,12]}}"#, [#"["a",12,1]"#, "[1,12]"],
      ["[1,1]", #"["a"]"#]
    ),
    (#"{"type":"array","uniqueItems":true,"items":{"type":"string"}}"#, [#"["a","aa"]"#, "[]"], [#"["a","a"]"#]),
    (
      #"{"type":["string","null"],"minLength":2,"maxLength":3}"#, ["null", #""éé""#, #""a\u00e9""#, #""abc""#],
      [#""a""#, #""abcd""#, #""\ud83d\ude00""#]
    ),
    (#"{"type":"string","pattern":"^[a-z]+$","maxLength":3}"#, [#""a""#, #""abc""#], [#""""#, #""abcd""#, #""A""#]),
    (#"{"enum":["a",1,null,{"b":[1.5]}]}"#, [#""a""#, "1", "null", #"{"b":[1.5]}"#], ["2", #""b""#, "{}"]),
    (#"{"const":"x","minLength":2}"#, [], [#""x""#]),
    (#"{"anyOf":[{"type":"integer","maximum":3},{"const":"x"}]}"#, ["3", "-10", #""x""#], ["4", #""y""#]),
    (
      #"{"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"integer"}},"required":["k","x"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}"#,
      [#"{"k":"a","x":1}"#, #"{"k":"b"}"#], [#"{"k":"b","x":1}"#, #"{"k":"a"}"#]
    ),
    (
      #"{"allOf":[{"properties":{"a":{"minimum":1}}},{"properties":{"a":{"type":"integer","maximum":2}},"required":["a"]}],"type":"object"}"#,
      [#"{"a":1}"#, #"{"a":2}"#], [#"{"a":3}"#, #"{"a":0}"#, "{}"]
    ),
    (
      ##"{"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v"]}},"$ref":"#/$defs/tree"}"##,
      [#"{"v":1}"#, #"{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}"#], [#"{"kids":[]}"#, #"{"v":1,"kids":[{}]}"#]
    ),
    (#"{"type":"number"}"#, ["0", "-1.5e10", "1e-7"], ["01", "1.", ".5", "1e400", "NaN", "+1"]),
    (#"{"type":"integer","multipleOf":5,"exclusiveMinimum":0}"#, ["5", "100"], ["0", "7", "-5"]),
    (#"{"allOf":[{"multipleOf":4},{"multipleOf":6,"type":"integer"}]}"#, ["0", "12", "-24"], ["4", "6", "2"]),
    (#"{"type":"integer","nullable":true}"#, ["null", "1"], ["1.5"]),
    (#"{"properties":{"a":false,"b":true}}"#, ["{}", #"{"b":[1]}"#], [#"{"a":1}"#]),
    ("true", ["1", #"{"a":[]}"#, "null"], ["", "tru"]),
    // Two names, though they look alike.
    (
      "{\"properties\":{\"\u{E9}\":{\"type\":\"null\"},\"e\u{301}\":{\"type\":\"boolean\"}}}",
      ["{\"\u{E9}\":null,\"e\u{301}\":true}"], ["{\"\u{E9}\":null,\"e\u{301}\":null}", "{\"\u{E9}\":true}"]
    ),
    ("{\"const\":\"\u{E9}\",\"enum\":[\"e\u{301}\"]}", [], ["\"\u{E9}\"", "\"e\u{301}\""]),
    (
      ##"{"$defs":{"a%41":{"$anchor":"here","type":"null"},"aA":{"type":"boolean"}},"$ref":"#here"}"##, ["null"], ["true"]
    ),
    (#"{"type":"object","propertyNames":{"type":"object"}}"#, ["{}"], [#"{"a":1}"#]),
    (##"{"anyOf":[{"$ref":"#"},{"type":"null"}]}"##, ["null"], ["1"]),
  ]

  @Test(arguments: cases.indices) func schemasAllow(_ index: Int) throws {
    let (schema, accepted, refused) = Self.cases[index]
    let compiled: CompiledGrammar
    do { compiled = try grammar(schema) } catch {
      // Nothing at all is allowed.
      #expect(error is ConstraintError && accepted.isEmpty, "\(schema): \(error)")
      return
    }
    for text in accepted { #expect(accepts(compiled, text), "\(schema) must allow \(text)") }
    for text in refused { #expect(!accepts(compiled, text), "\(schema) must not allow \(text)") }
  }

  /// The keyword and its place are named.
  @Test(arguments: [
    (#"{"properties":{"a":{"not":{}}}}"#, "#/properties/a/not"),
    (#"{"if":{"type":"string"},"then":{"minLength":1}}"#, "#/if"),
    (#"{"type":"array","uniqueItems":true}"#, "#/uniqueItems"),
    (#"{"type":"string","pattern":"(?=a)"}"#, "#/pattern"),
    (#"{"type":"string","format":"regex"}"#, "#/format"),
    (#"{"$ref":"https://example.org/other.json"}"#, "#/$ref"),
    (##"{"$ref":"#/$defs/missing"}"##, "#/$ref"),
    (#"{"oneOf":[{"type":"number"},{"type":"integer"}]}"#, "#/oneOf"),
    (#"{"type":"number","multipleOf":0.01}"#, "#/multipleOf"),
    (#"{"type":"integer","allOf":[{"multipleOf":101},{"multipleOf":103}]}"#, "#/allOf/1/multipleOf"),
    (
      #"{"type":"integer","multipleOf":9973,"allOf":[{"multipleOf":9967},{"multipleOf":9949},{"multipleOf":9941},{"multipleOf":9931}]}"#,
      "#/allOf/0/multipleOf"
    ),
    (#"{"type":"array","contains":{"type":"integer"}}"#, "#/contains"),
    (#"{"properties":{"a/b":{"dependentRequired":{"x":["y"]}}}}"#, "#/properties/a~1b/dependentRequired"),
    (##"{"$ref":"#"}"##, "#"), (#"{"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false}"#, "#/unevaluatedProperties"),
    (#"{"type":"strin"}"#, "#/type"), (#"{"minLength":-1,"type":"string"}"#, "#/minLength"),
    (#"{"properties":{"a":3}}"#, "#/properties/a"),
    (#"{"type":"array","items":{"type":"string","pattern":"^(a|b)*a(a|b){14}$"}}"#, "#/items/pattern"),
  ])
  func whatCannotBeKeptIsNamed(_ schema: String, _ pointer: String) throws {
    let error = try #require(throws: SchemaError.self) { try JSONSchema(JSONValue(parsing: schema)) }
    #expect(error.pointer == pointer && "\(error)".contains(pointer), "\(error)")
  }

  /// Long texts are refused before they take many times their own memory.
  @Test(.timeLimit(.minutes(1))) func longTextsAreRefused() throws {
    let long = String(repeating: "a", count: 2_000_000)
    let schemas: [(schema: JSONValue, keyword: String)] = [
      (["type": "string", "pattern": .string(long)], "pattern"), (["enum": [.string(long)]], "enum"),
      (["enum": .array((0...30_000).map { .integer($0) })], "enum"),
      (["properties": .object([JSONMember(key: long, value: true)])], "properties"),
    ]
    for (schema, keyword) in schemas {
      let error = try #require(throws: SchemaError.self) { try JSONSchema(schema) }
      #expect(error.pointer == "#/" + keyword && error.reason.utf8.count < 1000)
    }
    // Those that fit are kept.
    let name = String(repeating: "a", count: 5000), fitting = try grammar(#"{"const":"\#(name)"}"#)
    #expect(accepts(fitting, "\"\(name)\""))
  }

  /// What would take hours is refused, and what only looks like it is kept.
  @Test(.timeLimit(.minutes(1))) func manyChoicesComeToAnEnd() throws {
    func list(_ count: Int, _ schema: (Int) -> JSONValue) -> JSONValue { .array((0..<count).map(schema)) }
    let free: JSONValue = ["$ref": "#/$defs/free"], twice: JSONValue = ["$ref": "#/$defs/twice"]
    func kind(_ number: Int) -> JSONValue {
      let choices = list(20) { _ in twice }
      return [
        "type": "object", "properties": ["kind": ["const": .integer(number)]], "required": ["kind"], "anyOf": choices,
      ]
    }
    let titles = list(20) { ["title": .integer($0)] }, frees = list(20) { _ in free }
    let nested: JSONValue = ["$defs": ["free": ["anyOf": titles], "twice": ["anyOf": frees]], "oneOf": list(100, kind)]
    let error = try #require(throws: SchemaError.self) { try JSONSchema(nested) }
    #expect(error.reason.contains("too large"))
    // A long name above many values.
    let values = JSONMember(key: String(repeating: "a", count: 4_000_000), value: list(200_000) { .integer($0) })
    let deep: JSONValue = ["type": "boolean", "examples": .object([values])]
    let ofDeep = try CompiledGrammar(.schema(JSONSchema(deep)), trie: Self.bytes)
    #expect(accepts(ofDeep, "true"))
    // A keyword is looked for among all.
    let words: JSONValue = .object((0..<200_000).map { JSONMember(key: "x\($0)", value: ["type": "null"]) })
    #expect(throws: SchemaError.self) { try JSONSchema(words) }
    let many: JSONValue = ["properties": .object((0..<500_000).map { JSONMember(key: "\($0)", value: true) })]
    #expect(throws: SchemaError.self) { try JSONSchema(many) }
    let open = list(50_000) { _ in .object([]) }, wide: JSONValue = ["type": "boolean", "allOf": open]
    let ofWide = try CompiledGrammar(.schema(JSONSchema(wide)), trie: Self.bytes)
    #expect(accepts(ofWide, "true"))
  }

  /// Those of one request take no more together than one alone may.
  @Test(.timeLimit(.minutes(1))) func schemasShareABudget() throws {
    let open = JSONValue.array((0..<50_000).map { _ in .object([]) }), schema: JSONValue = ["type": "boolean", "allOf": open]
    var budget = SchemaBudget(), kept = 0
    while kept < 128, (try? JSONSchema(schema, budget: &budget)) != nil { kept += 1 }
    #expect((2..<128).contains(kept), "\(kept)")
    _ = try JSONSchema(schema)
  }

  /// Tables of what is needed grow with properties and with `minProperties`.
  @Test func largeTablesAreRefused() throws {
    let properties = JSONValue.object((0..<1200).map { JSONMember(key: "\($0)", value: ["type": "null"]) })
    func compile(_ minimum: Int) throws {
      let schema: JSONValue = ["type": "object", "properties": properties, "minProperties": .integer(minimum)]
      _ = try CompiledGrammar(.schema(try JSONSchema(schema)), trie: Self.bytes)
    }
    #expect(throws: ConstraintError.tooLarge) { try compile(1900) }
    try compile(5)
  }

  @Test(arguments: [
    #"{"enum":[]}"#, "false", #"{"type":"object","properties":{"a":false},"required":["a"]}"#,
    #"{"type":"integer","minimum":2,"maximum":1}"#,
    // More elements than any number of tokens makes.
    #"{"type":"array","uniqueItems":true,"items":{"type":"string"},"minItems":9223372036854775807}"#,
    #"{"type":"array","uniqueItems":true,"items":{"type":"string","pattern":"^a*$"},"minItems":9223372036854775807}"#,
    #"{"type":"array","items":{"type":"string"},"minItems":9223372036854775807}"#,
    #"{"type":"object","minProperties":9223372036854775807}"#, #"{"type":"string","minLength":9223372036854775807}"#,
  ])
  func contradictionsAreRefused(_ schema: String) throws {
    #expect(throws: ConstraintError.self) { try grammar(schema) }
  }

  /// The least number of tokens is enough, whatever is taken.
  @Test(arguments: [
    #"{"type":"object"}"#, #"{"type":"string","minLength":7}"#, #"{"type":"object","minProperties":4}"#,
    #"{"type":"array","uniqueItems":true,"minItems":4,"items":{"enum":["a","b","ccccccc","d"]}}"#,
    #"{"type":"array","uniqueItems":true,"minItems":3,"items":{"type":"string","pattern":"^a*$"}}"#,
    #"{"type":"object","minProperties":3,"additionalProperties":{"type":"integer"},"propertyNames":{"maxLength":1}}"#,
    ##"{"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"v":{"type":"boolean"}},"required":["v"]}},"$ref":"#/$defs/t"}"##,
  ])
  func leastTokensSuffice(_ schema: String) throws {
    let compiled = try grammar(schema)
    for extra in [0, 1, 2, 5, 30] {
      for seed in 0..<20 {
        var random = SeededGenerator(seed: UInt64(seed)), matcher = Matcher(compiled), mask = TokenMask(count: 256),
          text: [UInt8] = []
        let limit = compiled.leastTokens + extra
        while text.count < limit, !matcher.isFinished {
          mask.removeAll()
          matcher.allow(within: limit - text.count - 1, into: &mask)
          let allowed = (0..<Int32(256)).filter { mask.contains($0) }
          for token in 0..<Int32(256) {
            let isAllowed = matcher.allows(token, bytes: [UInt8(token)], within: limit - text.count - 1)
            #expect(isAllowed == mask.contains(token))
          }
          if allowed.isEmpty, matcher.isComplete { break }
          let token = try #require(allowed.randomElement(using: &random), "\(String(decoding: text, as: UTF8.self))")
          let isAccepted = matcher.accept([UInt8(token)])
          #expect(isAccepted)
          text.append(UInt8(token))
        }
        #expect(matcher.isComplete && accepts(compiled, String(decoding: text, as: UTF8.self)))
      }
    }
  }

  /// What was used takes no more time and room with each element than its text.
  @Test(.timeLimit(.minutes(1))) func manyUsedTextsAreToldApart() throws {
    let schemas = [
      (schema: #"{"type":"array","uniqueItems":true,"items":{"type":"string"}}"#, open: "[", between: ",", close: "]"),
      (schema: #"{"type":"object","additionalProperties":{"const":0}}"#, open: "{", between: ":0,", close: ":0}"),
    ]
    let count = 10_000
    for (schema, open, between, close) in schemas {
      var matcher = Matcher(try grammar(schema))
      let text = open + (0..<count).map { "\"\($0)\"" + between }.joined()
      let isAccepted = matcher.accept(text.utf8)
      #expect(isAccepted)
      for (name, isNew) in [("\(count)", true), ("7", false), ("\(count - 1)", false), ("-", true), ("", true)] {
        var next = matcher, mask = TokenMask(count: 256)
        let isBegun = next.accept("\"\(name)".utf8)
        #expect(isBegun)
        next.allow(within: 1000, into: &mask)
        #expect(mask.contains(Int32(UInt8(ascii: "\""))) == isNew, "\(name)")
        let isEnded = next.accept("\"\(close)".utf8)
        #expect(isEnded == isNew && next.isComplete == isNew, "\(name)")
      }
    }
  }

  /// As sets of the standard library have them; earlier ones stay what they were.
  @Test func setsOfTextsAreTrees() {
    var random = SeededGenerator(seed: 1), used = UsedTexts()
    var sets: [(number: Int32, texts: Set<[UInt8]>)] = [(UsedTexts.none, [])]
    for _ in 0..<300 {
      let text = (0..<Int.random(in: 0...4, using: &random)).map { _ in UInt8.random(in: 0...2, using: &random) * 100 }
      let base = sets[Int.random(in: sets.indices.suffix(20), using: &random)]
      sets.append((used.adding(text[...], to: base.number), base.texts.union([text])))
    }
    func texts(_ set: Int32, _ begin: [UInt8]) -> Set<[UInt8]> {
      var result: Set<[UInt8]> = used.hasEmpty(set) ? [begin] : []
      #expect(used.edges(set).map(\.byte) == used.edges(set).map(\.byte).sorted())
      for edge in used.edges(set) {
        #expect(used.rest(set, behind: edge.byte) == edge.node)
        result.formUnion(texts(edge.node, begin + [edge.byte]))
      }
      return result
    }
    for (number, expected) in sets {
      #expect(texts(number, []) == expected && used.count(number) == expected.count)
      #expect(used.rest(number, behind: 7) == UsedTexts.none)
    }
  }

  /// A tool call: fixed text around a schema.
  @Test func grammarsPutSchemasIntoTexts() throws {
    let arguments = try JSONSchema(["type": "object", "properties": ["city": ["type": "string"]], "required": ["city"]])
    let call = Grammar.sequence([
      .literal(#"<tool_call>{"name": "weather", "arguments": "#), .schema(arguments), .literal("}</tool_call>"),
    ])
    let grammar = try CompiledGrammar(
      .choice([.literal("No."), .repetition(call, separator: "\n", minimum: 1, maximum: 2)]), trie: Self.bytes)
    let one = #"<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>"#
    for text in ["No.", one, one + "\n" + one] { #expect(accepts(grammar, text)) }
    for text in ["", "No", one + "\n", one + "\n" + one + "\n" + one] { #expect(!accepts(grammar, text)) }
    #expect(grammar.leastTokens == 3)
  }

  /// Deep nesting goes the shortest way from some depth on, so that every reader can read it.
  @Test func depthIsBounded() throws {
    let compiled = try grammar(##"{"type":"object","additionalProperties":{"$ref":"#"}}"##)
    var matcher = Matcher(compiled), depth = 0
    while depth < 300, matcher.accept(#"{"a":"#.utf8) { depth += 1 }
    #expect((50..<100).contains(depth), "\(depth)")
  }
}

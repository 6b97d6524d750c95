import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletConstraints
import SwiftletJSON
import SwiftletModels
import SwiftletTestSupport
import SwiftletTokenization
import Testing

@testable import SwiftletGeneration

/// Answers that keep to grammars. Random models are the hardest case: nothing that they prefer is JSON, and they never want to end.
@Suite struct ConstraintTests {
  private let folder: TemporaryFolder
  private let model: LanguageModel

  init() throws {
    folder = try TemporaryFolder()
    model = try LanguageModel(path: TinyModels.chat(in: folder.path), threadCount: 2)
  }

  private static func options(_ constraint: Grammar, limit: Int, seed: Int = 0, temperature: Double = 2) -> GenerationOptions {
    GenerationOptions(
      temperature: temperature, topP: 1, seed: UInt64(seed), maximumResponseTokens: limit, drafting: .none, constraint: constraint
    )
  }

  private static func schema(_ text: String) throws -> Grammar { .schema(try JSONSchema(JSONValue(parsing: text))) }

  private func compiled(_ grammar: Grammar) throws -> CompiledGrammar {
    let tokenizer = try #require(model.loaded.tokenizer)
    return try CompiledGrammar(grammar, trie: TokenTrie(tokenizer, excluding: model.loaded.endTokens))
  }

  private func accepts(_ grammar: CompiledGrammar, _ text: String) -> Bool {
    var matcher = Matcher(grammar)
    return matcher.accept(text.utf8) && matcher.isComplete
  }

  static let schemas = [
    #"{"type":"object"}"#, "true", #"{"type":"string","minLength":7}"#, #"{"type":"integer"}"#, #"{"enum":["a",1,null]}"#,
    #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150}},"required":["name","age"],"additionalProperties":false}"#,
    #"{"type":"array","uniqueItems":true,"minItems":3,"items":{"enum":["a","b","ccc","d"]}}"#,
    #"{"type":"string","pattern":"^[a-z]{2,4}-[0-9]+$"}"#, #"{"type":"string","format":"date-time"}"#,
    ##"{"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"v":{"type":"boolean"}},"required":["v"]}},"$ref":"#/$defs/t"}"##,
  ]

  @Test(arguments: schemas) func answersAreWholeAtAnyTemperature(_ text: String) async throws {
    let grammar = try Self.schema(text), compiled = try compiled(grammar), least = compiled.leastTokens
    for (seed, limit) in [least, least + 1, least + 7, 60, 200].enumerated() where limit >= least {
      for temperature in [0, 2.0, 50] {
        let options = Self.options(grammar, limit: limit, seed: seed, temperature: temperature)
        let answer = try await model.complete(.text("Hi"), options: options)
        #expect(accepts(compiled, answer.content), "\(text), \(limit) tokens: \(answer.content)")
        #expect(throws: Never.self) { try JSONValue(parsing: answer.content) }
        #expect(answer.summary?.finishReason == .stop && answer.tokens.count <= limit)
      }
    }
  }

  /// Penalties, biases that forbid all allowed tokens, narrow sampling and ends that are ignored change nothing of that.
  @Test func answersAreWholeWithAnyOptions() async throws {
    let grammar = try Self.schema(Self.schemas[5]), compiled = try compiled(grammar)
    var options = Self.options(grammar, limit: 80)
    options.repetitionPenalty = 1.5
    options.frequencyPenalty = 2
    options.logitBias = Dictionary(uniqueKeysWithValues: (0..<Int32(257)).map { ($0, -Double.infinity) })
    options.logitBias[65] = 100
    options.logitBias[Int32(TinyModels.endToken)] = 100
    for (topK, minP) in [(0, 0.0), (1, 0), (5, 0.1)] {
      options.topK = topK
      options.minP = minP
      for ignoresEnd in [false, true] {
        options.ignoresEnd = ignoresEnd
        let answer = try await model.complete(.raw("A"), options: options)
        #expect(accepts(compiled, answer.content) && answer.summary?.finishReason == .stop, "\(answer.content)")
      }
    }
  }

  @Test func limitsThatAreTooSmallAreRefused() async throws {
    let grammar = try Self.schema(Self.schemas[5]), least = try compiled(grammar).leastTokens
    let request = try model.request(.text("Hi"), options: Self.options(grammar, limit: least - 1))
    #expect(throws: GenerationError.limitTooSmall(tokens: least - 1, needed: least)) { try model.engine.generate(request) }
    // The context leaves no more.
    let narrow = Engine(
      decoder: model.loaded.decoder, tokenizer: model.loaded.tokenizer, endTokens: model.loaded.endTokens, threadCount: 1,
      contextLength: 50)
    var options = Self.options(grammar, limit: 200)
    for length in [51 - least, 52 - least] {
      let request = GenerationRequest(prompt: EngineTests.prompt(length), options: options)
      if length + least > 51 {
        #expect(throws: GenerationError.limitTooSmall(tokens: 51 - length, needed: least)) { try narrow.generate(request) }
      } else {
        var completion = Completion()
        for try await event in try narrow.generate(request) { completion.add(event) }
        #expect(accepts(try compiled(grammar), completion.content) && completion.tokens.count <= least)
      }
    }
    options.constraint = try Self.schema(#"{"enum":[]}"#)
    let impossible = options
    #expect(throws: GenerationError.constraintRefused(.nothingAllowed)) {
      try model.engine.generate(model.request(.text("Hi"), options: impossible))
    }
    let mute = Engine(decoder: model.loaded.decoder, tokenizer: nil, endTokens: [], threadCount: 1)
    #expect(throws: GenerationError.self) { try mute.generate(GenerationRequest(prompt: [1], options: impossible)) }
  }

  /// A thought is free, and ends in time for an answer.
  @Test func thoughtsComeBeforeTheAnswer() async throws {
    let thinker = try LanguageModel(path: TinyModels.chat(in: folder.path, opensThought: true), threadCount: 2)
    let grammar = try Self.schema(Self.schemas[5]), compiled = try compiled(grammar)
    let closing = try #require(thinker.loaded.tokenizer).encode("\n</think>\n\n")
    for limit in [nil, 5] {
      var request = try thinker.request(.text("Hi"), options: Self.options(grammar, limit: 100, seed: 3))
      request.thoughtLimit = limit.map { ThoughtLimit(tokens: $0, closing: closing) }
      var completion = Completion()
      for try await event in try thinker.engine.generate(request) { completion.add(event) }
      #expect(!completion.reasoning.isEmpty && accepts(compiled, completion.content), "\(completion.content)")
      #expect(completion.summary?.finishReason == .stop && completion.tokens.count <= 100)
    }
    let least = compiled.leastTokens + closing.count
    let short = try thinker.request(.text("Hi"), options: Self.options(grammar, limit: least - 1))
    #expect(throws: GenerationError.limitTooSmall(tokens: least - 1, needed: least)) { try thinker.engine.generate(short) }
    let answer = try await thinker.complete(.text("Hi"), options: Self.options(grammar, limit: least))
    #expect(answer.reasoning.isEmpty && accepts(compiled, answer.content))
  }

  /// Guesses change no token, and neither does company.
  @Test func answersDependOnNothingElse() async throws {
    let grammar = try Self.schema(#"{"type":"array","items":{"enum":["abc","abd"]},"minItems":8}"#)
    let decoder = try LoadedModel(path: TinyModels.checkpoint("deepseek-v3-next-token")).decoder
    let tokenizer = try Self.asciiTokenizer()
    let engine = Engine(decoder: decoder, tokenizer: tokenizer, endTokens: [96], threadCount: 2)
    for temperature in [0, 0.8, 2] {
      var options = Self.options(grammar, limit: 120, seed: 5, temperature: temperature)
      let plain = try await EngineTests.collect(engine, [3, 4, 5], options)
      #expect(plain.summary?.finishReason == .stop && plain.tokens.count > 30)
      for drafting in [Drafting.promptLookup, .multiTokenPrediction] {
        options.drafting = drafting
        let drafted = try await EngineTests.collect(engine, [3, 4, 5], options)
        #expect(drafted.tokens == plain.tokens && drafted.content == plain.content, "\(drafting), \(temperature)")
        if drafting == .promptLookup { #expect((drafted.summary?.drafts?.accepted ?? 0) > 0) }
      }
      options.drafting = .none
      var free = EngineTests.options
      free.ignoresEnd = true
      let alone = try await EngineTests.collect(engine, [7, 8, 9], free)
      async let together = EngineTests.collect(engine, [7, 8, 9], free)
      async let constrained = EngineTests.collect(engine, [3, 4, 5], options)
      #expect(try await together.tokens == alone.tokens)
      #expect(try await constrained.tokens == plain.tokens)
    }
  }

  /// Log-probabilities are the model's own.
  @Test func logProbabilitiesComeBeforeTheMask() async throws {
    func first(_ constraint: Grammar?) async throws -> GeneratedToken? {
      var options = Self.options(.anyObject, limit: 5, temperature: 0)
      options.constraint = constraint
      options.topLogProbabilities = 5
      for try await event in try await model.generate(model.request(.text("Hi"), options: options)) {
        if case .token(let token) = event { return token }
      }
      return nil
    }
    let free = try await first(nil), constrained = try await first(.anyObject)
    #expect(free?.logProbabilities?.top == constrained?.logProbabilities?.top)
    #expect(constrained?.id == Int32(UInt8(ascii: "{")) && free?.id == free?.logProbabilities?.top.first?.id)
  }

  @Test func stopTextsStillEndTheAnswer() async throws {
    var options = Self.options(try Self.schema(Self.schemas[5]), limit: 80)
    options.stop = ["\"age\""]
    let answer = try await model.complete(.text("Hi"), options: options)
    #expect(answer.summary?.stopText == "\"age\"" && !answer.content.contains("age"))
  }

  /// Calls in every form are read back, whatever the strings in them hold.
  @Test(arguments: [ToolCallForm.hermes, .deepseekV3, .deepseekV31, .deepseekV32, .llama])
  func callsAreReadBack(_ form: ToolCallForm) async throws {
    let marks = #"["</tool_call>","```","<｜tool▁call▁end｜>","\"}","x"]"#
    let schema =
      #"{"type":"object","properties":{"a":{"enum":\#(marks)},"n":{"type":"integer"}},"required":["a"],"additionalProperties":false}"#
    var budget = SchemaBudget()
    let strict = try form.arguments(JSONValue(parsing: schema), budget: &budget)
    let grammar = form.calls([("first", strict), ("a \"b\"", strict)].map { (name: $0, arguments: $1) }, maximumCalls: 2)
    for seed in 0..<6 {
      let answer = try await model.complete(.text("Hi"), options: Self.options(grammar, limit: 400, seed: seed))
      let (content, calls) = ToolCallParserTests.collect(answer.content)
      #expect(answer.summary?.finishReason == .stop && content.isEmpty, "\(form): \(answer.content)")
      #expect(!calls.isEmpty && calls.count <= (form == .llama ? 1 : 2))
      for call in calls {
        #expect(["first", "a \"b\""].contains(call.name) && (try? JSONValue(parsing: call.arguments))?["a"]?.string != nil)
        // As the model wrote them, where that is JSON.
        #expect(form == .deepseekV32 || answer.content.contains(call.arguments))
      }
    }
  }

  static let parameters: [(schema: String, kept: [String], refused: [String])] = [
    (
      #"{"type":"object","properties":{"s":{"type":"string"},"n":{"type":"integer"}},"required":["s"]}"#,
      [text("s", "say \"hi\" \\ < </parameter>\nhere"), text("s", ""), text("s", "a") + "\n" + value("n", "3")],
      ["", value("s", "\"a\""), value("n", "3"), text("n", "3"), text("s", "a") + "\n" + text("t", "b"), text("s", "｜DSML｜")]
    ),
    (
      #"{"type":"object","properties":{"x":{"type":["string","null"],"maxLength":2},"y":{"anyOf":[{"enum":["a","b",1]},{"type":"array"}]}}}"#,
      ["", text("x", "\"\n"), value("x", "null"), text("y", "b"), value("y", "1"), value("y", "[\"</｜DSML｜parameter>\"]")],
      [text("x", "abc"), value("x", "1"), text("y", "c"), text("y", "1"), value("y", "\"a\"")]
    ),
    (
      #"{"type":"object","properties":{"d":{"type":"string","pattern":"^[a-z\"]+$"},"l":{"type":"string","maxLength":500}}}"#,
      [text("d", "a\"z"), value("l", "\"abc\"")], [text("d", "A"), text("d", ""), text("l", "abc"), value("d", "\"a\"")]
    ),
    (
      #"{"type":"object","additionalProperties":{"type":"boolean"},"minProperties":1}"#,
      [value("a", "true"), value("a", "true") + "\n" + value("b c", "false")],
      ["", text("a", "true"), value("a", "true") + "\n" + value("a", "false"), value("\"", "true"), value("", "true")]
    ),
    (#"{"type":"object","properties":{}}"#, [""], [text("a", "b")]),
    (
      ##"{"$ref":"#/$defs/p","$defs":{"p":{"type":"object","properties":{"s":{"const":"é"}}}}}"##, [text("s", "é")],
      [text("s", "e")]
    ),
  ]

  private static func text(_ name: String, _ text: String) -> String { line(name, text, isText: true) }
  private static func value(_ name: String, _ json: String) -> String { line(name, json, isText: false) }

  private static func line(_ name: String, _ value: String, isText: Bool) -> String {
    "<｜DSML｜parameter name=\"\(name)\" string=\"\(isText)\">\(value)</｜DSML｜parameter>"
  }

  /// The markup of DeepSeek-V3.2: strings as they are, all else JSON; what it allows is what the schema does.
  @Test(arguments: parameters) func argumentsInMarkupKeepToTheSchema(_ test: (schema: String, kept: [String], refused: [String]))
    throws
  {
    let schema = try JSONValue(parsing: test.schema)
    var budget = SchemaBudget()
    let arguments = try ToolCallForm.deepseekV32.arguments(schema, budget: &budget)
    let grammar = ToolCallForm.deepseekV32.calls([(name: "f", arguments: arguments)], maximumCalls: 1)
    let compiled = try compiled(grammar)
    func answer(_ lines: String) -> String {
      "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n\(lines)\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"
    }
    // The same arguments in JSON.
    let json = try self.compiled(.schema(try JSONSchema(schema)))
    for lines in test.kept {
      for space in ["", "\n\n"] { #expect(accepts(compiled, space + answer(lines)), "\(lines)") }
      let (content, calls) = ToolCallParserTests.collect("\n\n" + answer(lines))
      #expect(content.isEmpty && calls.count == 1, "\(lines)")
      for call in calls { #expect(accepts(json, call.arguments), "\(call.arguments)") }
    }
    for lines in test.refused { #expect(!accepts(compiled, answer(lines)), "\(lines)") }
  }

  @Test func formsFollowTheTemplate() {
    func form(_ text: String) -> ToolCallForm { ToolCallForm(template: TemplateSource(text: text)) }
    #expect(form("<tool_call>") == .hermes && form("") == .hermes && form("<｜DSML｜invoke") == .deepseekV32)
    #expect(ToolCallForm(template: TemplateSource(.deepseekV3)) == .deepseekV3)
    #expect(ToolCallForm(template: TemplateSource(.deepseekR1)) == .deepseekV3)
    #expect(ToolCallForm(template: TemplateSource(.deepseekV31)) == .deepseekV31)
    #expect(ToolCallForm(template: TemplateSource(.deepseekV32)) == .deepseekV32)
    #expect(form(#"{"name": function name, "parameters": dictionary}"#) == .llama)
  }

  // MARK: - One token after the other

  /// Printable ASCII and a line end, 97 tokens with the end; further ones behind it.
  private static func asciiTokenizer(_ further: [String] = []) throws -> Tokenizer {
    let alphabet = (0x20...0x7E).map { $0 == 0x20 ? "\u{120}" : String(Character(Unicode.Scalar(UInt8($0)))) } + ["\u{10A}"]
    let words = alphabet + [""] + further
    let vocabulary = words.enumerated().filter { $0.offset != 96 }.map { JSONMember(key: $1, value: .integer($0)) }
    func added(_ id: Int, _ text: String, isSpecial: Bool) -> JSONValue {
      [
        "id": .integer(id), "content": .string(text), "special": .bool(isSpecial), "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false,
      ]
    }
    let json: JSONValue = [
      "added_tokens": .array([added(96, "<|end|>", isSpecial: true), added(words.count, "<think>", isSpecial: false)]),
      "normalizer": nil,
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
      "post_processor": nil, "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "fuse_unk": false, "byte_fallback": false, "vocab": .object(vocabulary),
        "merges": [],
      ],
    ]
    return try Tokenizer(tokenizerJSON: Array(json.serialized().utf8))
  }

  @Test func whatMayFollowAThought() throws {
    let tokenizer = try Self.asciiTokenizer([">{", ">\u{10A}", "xy"])
    let cache = GrammarCache(tokenizer, ends: [96])
    let prepared = try cache.prepare(.anyObject)
    #expect(try cache.prepare(.anyObject).grammar === prepared.grammar)
    func allowed(_ constraint: inout AnswerConstraint) -> Set<String> {
      var logits = [Float](repeating: 0, count: 101)
      logits.withUnsafeMutableBufferPointer { _ = constraint.restrict($0, ends: [96]) }
      return Set(logits.indices.filter { logits[$0] == 0 }.map { $0 == 96 ? "end" : tokenizer.decode([Int32($0)]) })
    }
    func accept(_ text: String, _ constraint: inout AnswerConstraint) {
      for id in tokenizer.encode(text) { constraint.accept(id) }
    }
    var request = GenerationRequest(prompt: [1], options: .greedy, promptOpensThought: true)
    var thinking = AnswerConstraint(prepared, request: request, limit: 200)
    accept("a < b</think", &thinking)
    let last = allowed(&thinking)
    #expect(last.contains("<think>") && last.contains(">\n") && !last.contains(">{") && !last.contains("end"))
    accept(">", &thinking)
    #expect(allowed(&thinking) == ["{", "\n", " "])
    accept("\n\n", &thinking)
    #expect(allowed(&thinking) == ["{"])
    accept("{}", &thinking)
    #expect(thinking.isFinished)
    // A thought of the model's own, where it has a token for that.
    request.promptOpensThought = false
    var own = AnswerConstraint(prepared, request: request, limit: 200)
    #expect(allowed(&own) == ["{", "<think>"])
    own.accept(100)
    #expect(own.isThinking && allowed(&own).contains("a"))
    request.mayOpenThought = false
    var none = AnswerConstraint(prepared, request: request, limit: 200)
    #expect(allowed(&none) == ["{"])
  }
}

/// The library's way to values.
@Suite struct StructuredSessionTests {
  private struct Person: Decodable { var name: String; var age: Int }

  @Test func valuesAreDecoded() async throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let session = LanguageModelSession(model: try LanguageModel(path: TinyModels.chat(in: folder.path), threadCount: 2))
    let schema = try JSONSchema(JSONValue(parsing: ConstraintTests.schemas[5]))
    let options = GenerationOptions(temperature: 2, seed: 9, maximumResponseTokens: 90)
    let person = try await session.respond(to: "Who?", schema: schema, as: Person.self, options: options)
    #expect((0...150).contains(person.age))
    #expect(session.transcript.entries.count == 2)
    let again = try await LanguageModelSession(model: session.model).respond(to: "Who?", schema: schema, options: options)
    #expect(again.summary?.finishReason == .stop && again.content.contains("\"name\""))
  }
}

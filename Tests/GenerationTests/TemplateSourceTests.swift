import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite struct TemplateSourceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let conversation: JSONValue = [["role": "user", "content": "Hi"]]

  @Test func aNameOrAFileTakesThePlaceOfTheModelsOwn() throws {
    let path = try TinyModels.chat(in: folder.path)
    try folder.write("[{{ messages[0].content }}]", to: "own.jinja")
    func rendered(_ name: String) throws -> String? {
      try LanguageModel(path: path, template: TemplateSource(named: name), threadCount: 1).chatPrompt?.render(Self.conversation)
    }
    #expect(try rendered("deepseek-v3") == "<｜User｜>Hi<｜Assistant｜>")
    #expect(try rendered("deepseek-v2") == "User: Hi\n\nAssistant:")
    #expect(try rendered(folder.path + "/own.jinja") == "[Hi]")
    #expect(TemplateSource(.deepseekV31).builtInName == "deepseek-v3.1")
    #expect(try TemplateSource(named: folder.path + "/own.jinja").builtInName == nil)
  }

  @Test func aModelWithoutATemplateChatsWithANamedOne() throws {
    let path = try TinyModels.chat(in: folder.path, hasTemplate: false)
    #expect(try LanguageModel(path: path, threadCount: 1).chatPrompt == nil)
    let prompt = try LanguageModel(path: path, template: TemplateSource(.deepseekR1), threadCount: 1).chatPrompt
    #expect(try prompt?.render(Self.conversation) == "<｜User｜>Hi<｜Assistant｜><think>\n")
  }

  @Test func whatIsNeitherIsRefusedWithTheNames() throws {
    let error = try #require(throws: CheckpointError.self) { try TemplateSource(named: "deepseek-v9") }
    #expect(error.description.contains("deepseek-v2.5, deepseek-v3, deepseek-r1"))
    #expect(error.description.contains("No such file"))
  }

  /// V3.2 is published without a template. Its attention is not computed here, but its conversations can be rendered.
  @Test func v32HasItsFormatWithoutAFile() throws {
    try folder.write(#"{"model_type": "deepseek_v32", "architectures": ["DeepseekV32ForCausalLM"]}"#, to: "config.json")
    let source = try #require(try LoadedModel.template(path: folder.path))
    #expect(source.builtInName == "deepseek-v3.2")
    try folder.write("own", to: "chat_template.jinja")
    #expect(try LoadedModel.template(path: folder.path)?.text == "own")
  }

  @Test func theFormatOfV32TakesThinkingAndTools() throws {
    let tokenizer = try LoadedModel.tokenizer(path: TinyModels.chat(in: folder.path))
    let prompt = try ChatPrompt(TemplateSource(.deepseekV32), tokenizer: tokenizer)
    #expect(try prompt.render(Self.conversation) == "<｜User｜>Hi<｜Assistant｜></think>")
    let thinking = [JSONMember(key: "thinking", value: true)]
    #expect(try prompt.render(Self.conversation, extra: thinking) == "<｜User｜>Hi<｜Assistant｜><think>")
    let tools: JSONValue = [["type": "function", "function": ["name": "now", "parameters": [:]]]]
    #expect(
      try prompt.render(Self.conversation, tools: tools).contains(
        "<functions>\n{\"name\": \"now\", \"parameters\": {}}\n</functions>"))
  }

  // MARK: Filling in the middle

  @Test func fillingInNeedsTokensForIt() throws {
    let path = try TinyModels.chat(in: folder.path)
    let model = try LanguageModel(path: path, threadCount: 1)
    let prompt = LanguageModel.Prompt.fillInMiddle(prefix: "a", suffix: "b")
    #expect(throws: LanguageModelError.noFillInMiddle(path: path)) { try model.request(prompt, options: GenerationOptions()) }
  }

  @Test func fillingInIsARequestOfIds() throws {
    let path = try TinyModels.chat(in: folder.path)
    // 257 to 259, which the model has embeddings for.
    let marks = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"].enumerated().map { place, name in
      #"{"id":\#(257 + place),"content":"\#(name)","special":true}"#
    }
    let file = URL(fileURLWithPath: path + "/tokenizer.json")
    let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    try Data(text.replacing(#""added_tokens":["#, with: #""added_tokens":["# + marks.joined(separator: ",") + ",").utf8).write(
      to: file)
    let model = try LanguageModel(path: path, threadCount: 1)
    let request = try model.request(.fillInMiddle(prefix: "a<|end|>", suffix: "b"), options: GenerationOptions())
    #expect(request.prompt == [257] + Array("a<|end|>".utf8).map { Int32($0) } + [258, 98, 259])
    #expect(!request.splitsReasoning && !request.promptOpensThought)
  }
}

import SwiftletGeneration
import SwiftletJSON
import SwiftletTokenization
import Testing

@Suite struct ChatPromptTests {
  @Test func conversationsWithToolsTakeTheirOwnTemplate() throws {
    let tokenizer = try Tokenizer(
      VocabularyDescription(
        model: "gpt2", preTokenizer: "gpt-2", tokens: ["a", "b", "ab", "<s>"], tokenTypes: [1, 1, 1, 3], merges: ["a b"],
        beginningOfSequence: 3))
    let prompt = try ChatPrompt(
      TemplateSource(text: "{{ bos_token }}{{ messages[0].content }}", toolText: "{{ tools[0].name }}"), tokenizer: tokenizer)
    let messages: JSONValue = [["role": "user", "content": "hi"]]
    #expect(try prompt.render(messages) == "<s>hi")
    #expect(try prompt.render(messages, tools: .null) == "<s>hi")
    #expect(try prompt.render(messages, tools: [["name": "f"]]) == "f")
    let single = try ChatPrompt(TemplateSource(text: "one"), tokenizer: tokenizer)
    #expect(try single.render(messages, tools: [["name": "f"]]) == "one")
  }
}

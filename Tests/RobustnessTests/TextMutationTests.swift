import SwiftletChatTemplates
import SwiftletJSON
import SwiftletTokenization
import Testing

@Suite struct TextMutationTests {
  @Test func changedTokenizersAreRefusedOrUsed() throws {
    let seeds = try Seeds.all("TokenizationTests/Fixtures", suffix: ".tokenizer.json")
    var mutator = Mutator(seed: 21)
    run(1000) { number in
      let seed = seeds[number % seeds.count]
      // The settings stand before and after the vocabulary and the merges, which are nearly all of the file.
      let part =
        number % 3 == 0 ? 0..<seed.count : number % 3 == 1 ? 0..<min(seed.count, 4_000) : max(0, seed.count - 1_500)..<seed.count
      let changed = seed[..<part.lowerBound] + mutator.text(Array(seed[part]), other: seeds[mutator.generator.index(seeds.count)])
      use(try Tokenizer(tokenizerJSON: Array(changed + seed[part.upperBound...])))
    }
  }

  @Test func changedTokenizerConfigurationIsRefusedOrUsed() throws {
    let tokenizer = try Seeds.bytes("TokenizationTests/Fixtures/llama-bpe.tokenizer.json")
    let seed = Array(
      """
      {"add_bos_token": true, "add_eos_token": false, "bos_token": {"__type": "AddedToken", "content": "<|begin_of_text|>",
      "lstrip": false, "normalized": true}, "eos_token": "<|end_of_text|>", "legacy": true, "model_max_length": 16384,
      "pad_token": null, "unk_token": null, "tokenizer_class": "LlamaTokenizerFast", "chat_template": "{{ messages }}"}
      """.utf8)
    var mutator = Mutator(seed: 22)
    run(500) { _ in
      use(try Tokenizer(tokenizerJSON: tokenizer, configuration: mutator.text(seed, other: seed)))
    }
  }

  @Test func changedTemplatesAreRefusedOrRendered() throws {
    let paths = try Seeds.paths("ChatTemplatesTests/Fixtures", suffix: ".json").filter { $0.contains("/template-") }
    let seeds = try paths.map { Array((try JSONValue(parsing: Seeds.bytes($0))["source"]?.string ?? "").utf8) }
    let messages: JSONValue = [
      ["role": "system", "content": "Be brief."], ["role": "user", "content": "Hello"],
      ["role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi."], ["role": "user", "content": "Bye"],
    ]
    var mutator = Mutator(seed: 23)
    run(1000) { number in
      let broken = mutator.text(seeds[number % seeds.count], other: seeds[mutator.generator.index(seeds.count)])
      let template = try ChatTemplate(source: String(decoding: broken, as: UTF8.self))
      _ = try template.render(messages: messages, addGenerationPrompt: true, time: TemplateTime(secondsSince1970: 0))
    }
  }

  /// What is read is written and read again as the same text.
  @Test func changedJSONIsRefusedOrReadAsWritten() throws {
    let seeds =
      try ["deepseek-v3", "qwen2-yarn"].map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json") }
      + [Seeds.bytes("CheckpointsTests/Fixtures/tensors.json"), Seeds.bytes("CheckpointsTests/Fixtures/version2.json")]
    var mutator = Mutator(seed: 24)
    run(4000) { number in
      let text = try JSONValue(parsing: mutator.text(seeds[number % seeds.count], other: seeds[0])).serialized()
      #expect(try JSONValue(parsing: text).serialized() == text)
    }
  }
}

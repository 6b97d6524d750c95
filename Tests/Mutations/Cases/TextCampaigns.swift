import SwiftletChatTemplates
import SwiftletJSON
import SwiftletTokenization

extension Campaign {
  static let texts = [
    Campaign("tokenizer.json", share: 40, least: (20, 100)) {
      let seeds = try Seeds.all("TokenizationTests/Fixtures", suffix: ".tokenizer.json")
      return { number, mutator, run in
        let seed = seeds[number % seeds.count]
        // The settings stand before and after the vocabulary and the merges, which are nearly all of the file.
        let part =
          number % 3 == 0
          ? 0..<seed.count : number % 3 == 1 ? 0..<min(seed.count, 4_000) : max(0, seed.count - 1_500)..<seed.count
        let broken =
          seed[..<part.lowerBound] + mutator.text(Array(seed[part]), other: seeds[mutator.generator.index(seeds.count)])
          + seed[part.upperBound...]
        run.begins(broken.count)
        let tokenizer = try Tokenizer(tokenizerJSON: Array(broken))
        run.isParsed()
        try use(tokenizer)
      }
    },
    Campaign("tokenizer_config.json", share: 20) {
      let tokenizer = try Seeds.bytes("TokenizationTests/Fixtures/llama-bpe.tokenizer.json")
      let seed = Array(
        """
        {"add_bos_token": true, "add_eos_token": false, "bos_token": {"__type": "AddedToken", "content": "<|begin_of_text|>",
        "lstrip": false, "normalized": true}, "eos_token": "<|end_of_text|>", "legacy": true, "model_max_length": 16384,
        "pad_token": null, "unk_token": null, "tokenizer_class": "LlamaTokenizerFast", "chat_template": "{{ messages }}"}
        """.utf8)
      return { _, mutator, run in
        let broken = mutator.text(seed, other: seed)
        run.begins(tokenizer.count + broken.count)
        let tokenizer = try Tokenizer(tokenizerJSON: tokenizer, configuration: broken)
        run.isParsed()
        try use(tokenizer)
      }
    },
    // The regular expressions that cut a text into pieces.
    Campaign("patterns", share: 80) {
      let seeds: [String] = [
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
        #"[\r\n]|\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+|\s?[!-/:-~！-／：-～‘-‟　-。]+|[一-龥ࠀ-一가-퟿]+|\p{N}+|\s+$"#,
        ##"\p{N}{1,3}|[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|(?<=a)b|(?<!c)d"##,
      ]
      return { number, mutator, run in
        let seed = Array(seeds[number % seeds.count].utf8), other = Array(seeds[(number + 1) % seeds.count].utf8)
        let pattern = String(decoding: mutator.text(seed, other: other), as: UTF8.self)
        let splits: JSONValue = [
          "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false,
        ]
        let level: JSONValue = ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false]
        let file: JSONValue = [
          "added_tokens": [], "normalizer": nil, "pre_tokenizer": ["type": "Sequence", "pretokenizers": [splits, level]],
          "post_processor": nil, "decoder": level,
          "model": ["type": "BPE", "vocab": ["a": 0, "b": 1, "Ġ": 2, "ab": 3], "merges": ["a b"]],
        ]
        let broken = Array(file.serialized().utf8)
        run.begins(broken.count)
        let tokenizer = try Tokenizer(tokenizerJSON: broken)
        run.isParsed()
        try use(tokenizer)
      }
    },
    Campaign("chat templates", share: 120, least: (10, 100)) {
      let paths = try Seeds.paths("ChatTemplatesTests/Fixtures", suffix: ".json").filter { $0.contains("/template-") }
      let seeds = try paths.map { Array((try JSONValue(parsing: Seeds.bytes($0))["source"]?.string ?? "").utf8) }
      let messages: JSONValue = [
        ["role": "system", "content": "Be brief."], ["role": "user", "content": "Hello"],
        ["role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi."], ["role": "user", "content": "Bye"],
      ]
      return { number, mutator, run in
        let broken = mutator.text(seeds[number % seeds.count], other: seeds[mutator.generator.index(seeds.count)])
        run.begins(broken.count)
        let template = try ChatTemplate(source: String(decoding: broken, as: UTF8.self))
        run.isParsed()
        _ = try template.render(messages: messages, addGenerationPrompt: true, time: TemplateTime(secondsSince1970: 0))
      }
    },
    // What is read is written and read again as the same text.
    Campaign("JSON", share: 146, least: (20, 100)) {
      let seeds =
        try ["deepseek-v3", "qwen2-yarn"].map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json") }
        + [Seeds.bytes("CheckpointsTests/Fixtures/tensors.json"), Seeds.bytes("CheckpointsTests/Fixtures/version2.json")]
      return { number, mutator, run in
        let broken = mutator.text(seeds[number % seeds.count], other: seeds[0])
        run.begins(broken.count)
        let value = try JSONValue(parsing: broken)
        run.isParsed()
        let text = value.serialized()
        guard try JSONValue(parsing: text).serialized() == text else {
          throw Violation("written otherwise: \(text.prefix(1000))")
        }
      }
    },
  ]
}

public import SwiftletJSON

extension Tokenizer {
  /// What GGUF files call the pre-tokenizer of a tokenizer.json (`tokenizer.ggml.pre`). It is known by its patterns.
  /// - Parameters:
  ///   - root: the content of tokenizer.json.
  ///   - source: its name, for errors.
  /// - Throws: `TokenizerError` for one that no GGUF file can name: the file would cut texts in other places.
  public static func ggufPreTokenizer(_ root: JSONValue, source: String) throws(TokenizerError) -> String {
    let (preTokenizer, addsPrefixSpace) = try PreTokenizerJSONReader(source: source).read(root["pre_tokenizer"])
    let ignoresMerges = root["model"]?["ignore_merges"]?.bool ?? false
    let hasDeepSeekTokens = (root["added_tokens"]?.elements ?? []).contains { $0["content"]?.string == "<｜begin▁of▁sentence｜>" }
    let name = KnownPatterns.ggufName(preTokenizer, ignoresMerges: ignoresMerges, hasDeepSeekTokens: hasDeepSeekTokens)
    guard let name, !addsPrefixSpace else {
      throw TokenizerError(
        .unsupported, source: source, field: "pre_tokenizer",
        reason: "found one that GGUF has no name for, expected that of GPT-2, SmolLM, Llama 3, Qwen2, DeepSeek-LLM, -Coder or -V3"
      )
    }
    return name
  }
}

extension KnownPatterns {
  /// The name in GGUF; nil when there is none. Several names mean the same; these are the ones of the models known here.
  static func ggufName(_ preTokenizer: PreTokenizer, ignoresMerges: Bool, hasDeepSeekTokens: Bool) -> String? {
    switch (preTokenizer, ignoresMerges) {
    case (.llama3(maximumNumberLength: 3), true): "llama-bpe"
    case (.llama3(maximumNumberLength: 3), false): "smaug-bpe"
    case (.llama3(maximumNumberLength: 1), false): hasDeepSeekTokens ? "deepseek-r1-qwen" : "qwen2"
    case (.gpt2(individualNumbers: false), false): "gpt-2"
    case (.gpt2(individualNumbers: true), false): "smollm"
    case (.deepSeekLLM, false): "deepseek-llm"
    case (.deepSeekCoder, false): "deepseek-coder"
    case (.deepSeekV3, false): "deepseek-v3"
    default: nil
    }
  }

  /// The patterns of a pre-tokenizer, each run inside the pieces of the one before; nil for one without a scanner.
  static func patterns(_ preTokenizer: PreTokenizer) -> [String]? {
    switch preTokenizer {
    case .gpt2(let individualNumbers): individualNumbers ? [number, gpt2] : [gpt2]
    case .llama3(let maximumNumberLength): [maximumNumberLength == 1 ? qwen2 : llama3]
    case .deepSeekLLM: deepSeekLLM
    case .deepSeekCoder: deepSeekCoder
    case .deepSeekV3: deepSeekV3
    case .pipeline: nil
    }
  }
}

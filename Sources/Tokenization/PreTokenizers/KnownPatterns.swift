/// The pre-tokenizers that have scanners, as the regular expressions of tokenizer.json write them.
enum KnownPatterns {
  static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  static let llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let number = #"\p{N}"#
  static let deepSeekV3 = [
    #"\p{N}{1,3}"#, "[一-龥\u{3040}-ゟ゠-ヿ]+",
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|"##
      + #"\s+(?!\S)|\s+"#,
  ]
  static let deepSeekLLM = [
    #"[\r\n]"#, #"\s?["# + DeepSeekLLMPattern.letterRanges + "]+", #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$"#, asian, number,
  ]
  static let deepSeekCoder = [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, asian, number]
  private static let asian = "[一-龥\u{800}-一가-\u{D7FF}]+"

  private static let scanners: [(patterns: [String], preTokenizer: PreTokenizer)] = [
    ([gpt2], .gpt2(individualNumbers: false)),
    ([number, gpt2], .gpt2(individualNumbers: true)),
    ([llama3], .llama3(maximumNumberLength: 3)),
    ([qwen2], .llama3(maximumNumberLength: 1)),
    (deepSeekV3, .deepSeekV3),
    (deepSeekLLM, .deepSeekLLM),
    (deepSeekCoder, .deepSeekCoder),
  ]

  /// The scanner for the steps, when there is one.
  static func scanner(for steps: [SplitStep]) -> PreTokenizer? {
    guard steps.allSatisfy({ !$0.isInverted && $0.behavior == .isolated }) else { return nil }
    return scanners.first { known in
      known.patterns.count == steps.count
        && zip(known.patterns, steps).allSatisfy { normalized($0).elementsEqual(normalized($1.pattern)) }
    }?.preTokenizer
  }

  /// The pattern in bytes, with newlines written as escapes: some files hold the scalars themselves.
  private static func normalized(_ pattern: String) -> [UInt8] {
    pattern.utf8.flatMap { byte -> [UInt8] in
      switch byte {
      case 0x0A: Array(#"\n"#.utf8)
      case 0x0D: Array(#"\r"#.utf8)
      default: [byte]
      }
    }
  }

  /// The pre-tokenizer that GGUF files name in `tokenizer.ggml.pre`, and whether a piece that is a token is never merged
  /// from smaller ones; nil for a name that is not known.
  static func named(_ name: String) throws(RegexError) -> (preTokenizer: PreTokenizer, ignoresMerges: Bool)? {
    switch name {
    case "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "mellum", "modern-bert":
      return (.gpt2(individualNumbers: false), false)
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
      return (.gpt2(individualNumbers: true), false)
    case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
      return (.llama3(maximumNumberLength: 3), true)
    case "dbrx", "smaug-bpe", "chatglm-bpe", "glm4": return (.llama3(maximumNumberLength: 3), false)
    case "qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez": return (.llama3(maximumNumberLength: 1), false)
    case "deepseek-llm": return (.deepSeekLLM, false)
    case "deepseek-coder": return (.deepSeekCoder, false)
    case "deepseek-v3", "hunyuan-dense", "joyai-llm": return (.deepSeekV3, false)
    case "qwen35":
      return try pipeline([
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|"#
          + #"\s+(?!\S)|\s+"#
      ])
    case "falcon": return try pipeline([#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"])
    case "default": return try pipeline([#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"])
    default: return nil
    }
  }

  private static func pipeline(_ patterns: [String]) throws(RegexError) -> (PreTokenizer, Bool) {
    var steps: [SplitStep] = []
    for pattern in patterns { steps.append(try SplitStep(pattern)) }
    return (.pipeline(SplitPipeline(steps: steps)), false)
  }
}

/// How texts are cut into the pieces that merges are learned in, and later made in. Named as GGUF files name them.
public enum TrainablePreTokenizer: String, Sendable, Hashable, CaseIterable {
  case gpt2 = "gpt-2"
  case smollm
  /// A piece that is a token is never merged from smaller ones.
  case llama3 = "llama-bpe"
  case qwen2
  case deepSeekLLM = "deepseek-llm"
  case deepSeekCoder = "deepseek-coder"
  case deepSeekV3 = "deepseek-v3"

  var preTokenizer: PreTokenizer {
    switch self {
    case .gpt2: .gpt2(individualNumbers: false)
    case .smollm: .gpt2(individualNumbers: true)
    case .llama3: .llama3(maximumNumberLength: 3)
    case .qwen2: .llama3(maximumNumberLength: 1)
    case .deepSeekLLM: .deepSeekLLM
    case .deepSeekCoder: .deepSeekCoder
    case .deepSeekV3: .deepSeekV3
    }
  }
}

/// A short name of a model.
public struct ModelAlias: Sendable {
  public let name: String
  public let reference: ModelReference

  /// All aliases, the default model's first.
  public static let all: [ModelAlias] =
    [
      hub("deepseek-r1:1.5b", "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF"),
      hub("deepseek-r1:7b", "unsloth/DeepSeek-R1-Distill-Qwen-7B-GGUF"),
      hub("deepseek-r1:8b", "unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF"),
      hub("deepseek-r1:14b", "unsloth/DeepSeek-R1-Distill-Qwen-14B-GGUF"),
      hub("deepseek-r1:32b", "unsloth/DeepSeek-R1-Distill-Qwen-32B-GGUF"),
      hub("deepseek-v2-lite", "second-state/DeepSeek-V2-Lite-Chat-GGUF"),
      ModelAlias(name: WheelModel.smolLM2.alias, reference: .wheel(.smolLM2)),
    ] + (EmbeddedModel.isPresent ? [ModelAlias(name: EmbeddedModel.alias, reference: .embedded)] : [])

  private static func hub(_ name: String, _ repository: String) -> ModelAlias {
    ModelAlias(name: name, reference: .repository(RepositoryReference(repository: repository, quantization: "Q4_K_M")))
  }

  /// The aliases that a mistyped name may have meant, the nearest first: those it begins, then those within a third of its length.
  static func nearest(to text: String) -> [String] {
    let text = text.lowercased()
    // A very long text is near to none of them, and the distance costs its length.
    guard text.count <= 64 else { return [] }
    let stem = text.split(separator: ":").first.map { $0 + ":" } ?? ""
    return all.map(\.name)
      .map { name in
        (name: name, distance: !text.isEmpty && (name.hasPrefix(text) || name.hasPrefix(stem)) ? 0 : distance(text, name))
      }
      .filter { $0.distance <= max(2, text.count / 3) }
      .sorted { $0.distance < $1.distance }
      .prefix(5)
      .map(\.name)
  }

  /// The number of characters to insert, remove or replace (Levenshtein).
  private static func distance(_ first: String, _ second: String) -> Int {
    let second = Array(second)
    var row = Array(0...second.count)
    for (index, character) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in second.indices {
        let replaced = diagonal + (character == second[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[second.count]
  }
}

internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletModels

/// Whether what was written says of the model what the source says. No form can say everything: a scaling of RoPE that the other form
/// lacks, say, would be lost in silence, and the numbers with it.
enum ConfigurationCheck {
  /// - Parameters:
  ///   - source: where the first configuration was read, for the error.
  ///   - form: what is being written, for the error.
  static func require(
    _ original: ModelConfiguration, equals written: ModelConfiguration, source: String, form: String
  ) throws(CheckpointError) {
    guard let (field, found) = difference(original, written) else { return }
    throw CheckpointError(
      file: source, field: field, reason: "found \(found), which \(form) cannot say; the model would compute other numbers")
  }

  private static func difference(_ a: ModelConfiguration, _ b: ModelConfiguration) -> (field: String, found: String)? {
    let fields: [(String, Int, Int)] = [
      ("vocab_size", a.vocabularySize, b.vocabularySize), ("hidden_size", a.hiddenSize, b.hiddenSize),
      ("num_hidden_layers", a.layerCount, b.layerCount), ("num_attention_heads", a.headCount, b.headCount),
      ("intermediate_size", a.feedForwardSize, b.feedForwardSize), ("max_position_embeddings", a.contextLength, b.contextLength),
    ]
    for (field, first, second) in fields where first != second { return (field, "\(first)") }
    if a.architecture != b.architecture { return ("model_type", a.architecture.rawValue) }
    if a.tiesEmbeddings != b.tiesEmbeddings { return ("tie_word_embeddings", "\(a.tiesEmbeddings)") }
    if !isClose(Double(a.normEpsilon), Double(b.normEpsilon)) { return ("rms_norm_eps", "\(a.normEpsilon)") }
    if !areEqual(a.attention, b.attention) { return ("attention", "\(a.attention)") }
    if !areEqual(a.mixture, b.mixture) { return ("n_routed_experts", "\(a.mixture.map { "\($0)" } ?? "none")") }
    if a.rotary.dimension != b.rotary.dimension { return ("head_dim", "\(a.rotary.dimension)") }
    if !isClose(a.rotary.theta, b.rotary.theta) { return ("rope_theta", "\(a.rotary.theta)") }
    // Llama's pairs are halves apart in one form and neighbours in the other; all others keep them.
    if (a.rotary.isInterleaved == b.rotary.isInterleaved) == (a.architecture == .llama) {
      return ("rope_interleave", "\(a.rotary.isInterleaved)")
    }
    if !areEqual(a.rotary.scaling, b.rotary.scaling, a.rotary) { return ("rope_scaling", "\(a.rotary.scaling)") }
    return nil
  }

  private static func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * max(abs(a), abs(b)) }

  private static func areEqual(_ a: ModelConfiguration.Attention, _ b: ModelConfiguration.Attention) -> Bool {
    guard case .latent(let first) = a, case .latent(var second) = b else { return a == b }
    guard isClose(Double(first.scaleFactor), Double(second.scaleFactor)) else { return false }
    second.scaleFactor = first.scaleFactor
    return first == second
  }

  private static func areEqual(_ a: ModelConfiguration.Mixture?, _ b: ModelConfiguration.Mixture?) -> Bool {
    guard let a, var b else { return a == nil && b == nil }
    guard isClose(Double(a.weightScale), Double(b.weightScale)) else { return false }
    b.weightScale = a.weightScale
    return a == b
  }

  private static func areEqual(
    _ a: ModelConfiguration.Rotary.Scaling, _ b: ModelConfiguration.Rotary.Scaling, _ rotary: ModelConfiguration.Rotary
  ) -> Bool {
    switch (a, b) {
    case (.none, .none): return true
    case (.linear(let first), .linear(let second)): return isClose(first, second)
    case (
      .yarn(let factor, let original, let fast, let slow, let attention, let truncates),
      .yarn(let factor2, let original2, let fast2, let slow2, let attention2, let truncates2)
    ):
      return isClose(factor, factor2) && original == original2 && isClose(fast, fast2) && isClose(slow, slow2)
        && isClose(attention, attention2) && truncates == truncates2
    case (.llama3(let factor, let low, let high, let original), .factors(let factors)),
      (.factors(let factors), .llama3(let factor, let low, let high, let original)):
      let expected = GGUFPlan.rotaryFactors(rotary, factor: factor, low: low, high: high, original: original)
      return expected.count == factors.count && zip(expected, factors).allSatisfy { abs($0 - $1) <= 1e-5 * $1 }
    default: return a == b
    }
  }
}

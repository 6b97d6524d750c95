internal import SwiftletCheckpoints
internal import SwiftletConversion
internal import SwiftletTensors

/// What is trained beside frozen weights (LoRA, Hu et al. 2021): `weight · x` gets `alpha / rank * B · A · x`.
public struct LowRankOptions: Sendable, Equatable {
  public var rank: Int
  public var alpha: Double
  /// Which of a layer's weights have an adapter, by the names of `allowedTargets`.
  public var targets: [String]

  public init(rank: Int, alpha: Double, targets: [String]) {
    self.rank = rank
    self.alpha = alpha
    self.targets = targets
  }

  /// Attention's weights, and those of dense feed-forwards and shared experts. The experts that a router chooses, the router, the
  /// embedding and the head have none.
  public static let allowedTargets = [
    "q_proj", "k_proj", "v_proj", "o_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "gate_proj", "up_proj",
    "down_proj",
  ]

  var scale: Float { Float(alpha / Double(rank)) }

  /// Whether a weight has an adapter.
  /// - Parameter name: as in safetensors.
  func adapts(_ name: String) -> Bool { targets.contains { Self.isTarget($0, of: name) } }

  static func isTarget(_ target: String, of name: String) -> Bool {
    name.hasSuffix("." + target + ".weight") && !name.contains(".mlp.experts.")
  }

  /// New adapters for a model's weights, each A before its B: A uniform within one over the root of its inputs, B zero, as `peft` has
  /// it (Kaiming's with a = √5). Numbers follow from the seed and the weight's name.
  func parameters(for weights: [Parameter], seed: UInt64) -> [Parameter] {
    weights.filter { adapts($0.name) }.flatMap { weight -> [Parameter] in
      let name = String(weight.name.dropLast(".weight".count)), inputs = weight.shape.columns
      var random = SeededGenerator(seed, Checksum64.of(Array(name.utf8)))
      let down = Tensor(zeros: Shape(rank, inputs)), bound = 1 / Double(inputs).squareRoot()
      for index in 0..<down.shape.count { down.floats[index] = Float((2 * random.uniform() - 1) * bound) }
      return [
        Parameter(name: name + AdapterNames.down, value: down),
        Parameter(name: name + AdapterNames.up, value: Tensor(zeros: Shape(weight.shape.rows, rank))),
      ]
    }
  }
}

/// Weights of one input, and their adapters.
struct AdaptedWeights {
  let weights: LinearWeights
  /// A of those weights that have an adapter: `[rank, in]` each.
  private let down: LinearWeights?
  /// B, `[out, rank]` each, with the index of the weight.
  private let up: [(index: Int, weights: LinearWeights)]
  private let scale: Float

  init(_ weights: LinearWeights, adapters: [(down: Parameter, up: Parameter)?], scale: Float) {
    self.weights = weights
    self.scale = scale
    let present = adapters.compactMap(\.self)
    down = present.isEmpty ? nil : LinearWeights(present.map(\.down))
    up = adapters.enumerated().compactMap { index, adapter in adapter.map { (index, LinearWeights($0.up)) } }
  }

  var isAdapted: Bool { down != nil }

  /// For each weight `[rows, out]`.
  func callAsFunction(_ x: Value, _ tape: Tape) -> [Value] {
    var results = tape.linear(x, weights)
    guard let down else { return results }
    for (inner, (index, weights)) in zip(tape.linear(x, down), up) {
      results[index] = tape.add(consuming: results[index], tape.linear(inner, weights)[0], scaledBy: scale)
    }
    return results
  }
}

/// `down(silu(gate(x)) * up(x))` with adapters.
struct AdaptedFeedForward {
  let gateUp: AdaptedWeights
  let down: AdaptedWeights

  func callAsFunction(_ x: Value, _ tape: Tape) -> Value {
    guard gateUp.isAdapted || down.isAdapted else {
      return tape.feedForward(x, FeedForwardWeights(gateUp: gateUp.weights, down: down.weights))
    }
    let inner = gateUp(x, tape)
    return down(tape.swiglu(inner[0], inner[1]), tape)[0]
  }
}

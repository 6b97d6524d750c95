internal import SwiftletConversion
internal import SwiftletModels
internal import SwiftletTensors

/// What every layer of a pass shares.
struct TrainingPass {
  let angles: TapeAngles
  let documents: [Range<Int>]
  let prefixes: [Range<Int>]
  let balance: BalanceLoss?
  /// The balance losses of the layers so far.
  let balanceSum = Sum()
  /// Told of every mixture's routing, once a pass.
  let onRouting: (_ layer: Int, Routing) -> Void

  final class Sum {
    var value = 0.0
  }
}

/// Attention and feed-forward, each behind a norm and added to what came in.
final class TrainableLayer {
  private let index: Int
  private let configuration: ModelConfiguration
  private let attentionNorm: Parameter
  private let feedForwardNorm: Parameter
  private let attention: Attention
  private let output: AdaptedWeights
  private let feedForward: FeedForward

  private enum Attention {
    /// Queries, keys and values.
    case groupedQuery(AdaptedWeights, keyValueHeadCount: Int, headDimension: Int)
    case latent(Latent)
  }

  private struct Latent {
    let shape: ModelConfiguration.Latent
    /// The latent of keys and values, behind that of queries where there is one.
    let down: AdaptedWeights
    let queryNorm: Parameter?
    let query: AdaptedWeights
    let keyValueNorm: Parameter
    let keyValueUp: AdaptedWeights
  }

  private enum FeedForward {
    case dense(AdaptedFeedForward)
    case mixture(Mixture)
  }

  private struct Mixture {
    let router: LinearWeights
    let bias: Parameter?
    let rule: RoutingRule
    let experts: [FeedForwardWeights]
    let shared: AdaptedFeedForward?
  }

  /// - Parameter find: a parameter of the layer by the end of its name; optional for biases.
  init(_ configuration: ModelConfiguration, index: Int, _ names: LayerParameters) {
    self.index = index
    self.configuration = configuration
    attentionNorm = names["input_layernorm.weight"]
    feedForwardNorm = names["post_attention_layernorm.weight"]
    switch configuration.attention {
    case .groupedQuery(let heads, let dimension):
      attention = .groupedQuery(
        names.linear("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), keyValueHeadCount: heads,
        headDimension: dimension)
    case .latent(let latent):
      let isCompressed = latent.queryRank != nil, keyValue = "self_attn.kv_a_proj_with_mqa"
      attention = .latent(
        Latent(
          shape: latent,
          down: isCompressed
            ? names.linear("self_attn.q_a_proj", keyValue) : names.linear("self_attn.q_proj", keyValue),
          queryNorm: isCompressed ? names["self_attn.q_a_layernorm.weight"] : nil,
          query: names.linear(isCompressed ? "self_attn.q_b_proj" : "self_attn.q_proj"),
          keyValueNorm: names["self_attn.kv_a_layernorm.weight"], keyValueUp: names.linear("self_attn.kv_b_proj")))
    }
    output = names.linear("self_attn.o_proj")
    guard let mixture = configuration.mixture, configuration.hasExperts(layer: index) else {
      feedForward = .dense(names.feedForward("mlp"))
      return
    }
    feedForward = .mixture(
      Mixture(
        router: names.linear("mlp.gate").weights, bias: names.optional("mlp.gate.e_score_correction_bias"),
        rule: RoutingRule(mixture),
        experts: (0..<mixture.expertCount).map { expert in
          let weights = names.feedForward("mlp.experts.\(expert)")
          return FeedForwardWeights(gateUp: weights.gateUp.weights, down: weights.down.weights)
        },
        shared: mixture.sharedExpertCount > 0 ? names.feedForward("mlp.shared_experts") : nil))
  }

  /// `[rows, hidden]` to `[rows, hidden]`.
  func callAsFunction(_ x: Value, _ tape: Tape, _ pass: TrainingPass) -> Value {
    let normed = tape.rmsNorm(x, attentionNorm, epsilon: configuration.normEpsilon)
    let attended: Value
    switch attention {
    case .groupedQuery(let weights, let heads, let dimension):
      attended = groupedQuery(weights(normed, tape), heads, dimension, tape, pass)
    case .latent(let latent): attended = self.latent(normed, latent, tape, pass)
    }
    let middle = tape.add(x, consuming: output(attended, tape)[0])
    let inner = tape.rmsNorm(middle, feedForwardNorm, epsilon: configuration.normEpsilon)
    switch feedForward {
    case .dense(let weights): return tape.add(middle, consuming: weights(inner, tape))
    case .mixture(let mixture): return tape.add(middle, consuming: self.mixture(inner, mixture, tape, pass))
    }
  }

  private func groupedQuery(
    _ projected: [Value], _ keyHeads: Int, _ dimension: Int, _ tape: Tape, _ pass: TrainingPass
  ) -> Value {
    for heads in projected[0..<2] {
      tape.rotate(
        heads, headStride: dimension, offset: 0, dimension: dimension, angles: pass.angles,
        interleaved: configuration.rotary.isInterleaved)
    }
    return tape.attention(
      projected[0], keys: HeadPart(projected[1], headStride: dimension, dimension: dimension),
      values: HeadPart(projected[2], headStride: dimension, dimension: dimension), headCount: configuration.headCount,
      keyHeadCount: keyHeads, documents: pass.documents, prefixes: pass.prefixes,
      scale: configuration.attentionScale)
  }

  /// The expanded form, which is the definition (DeepSeek-V2 report, section 2.1.2).
  private func latent(_ x: Value, _ latent: Latent, _ tape: Tape, _ pass: TrainingPass) -> Value {
    let shape = latent.shape, interleaved = configuration.rotary.isInterleaved, down = latent.down(x, tape)
    var queries = down[0]
    if let norm = latent.queryNorm {
      queries = latent.query(tape.rmsNorm(queries, norm, epsilon: ModelConfiguration.Latent.normEpsilon), tape)[0]
    }
    tape.rotate(
      queries, headStride: shape.plainDimension + shape.rotaryDimension, offset: shape.plainDimension,
      dimension: shape.rotaryDimension, angles: pass.angles, interleaved: interleaved)
    let rank = shape.keyValueRank
    tape.rotate(
      down[1], headStride: rank + shape.rotaryDimension, offset: rank, dimension: shape.rotaryDimension, angles: pass.angles,
      interleaved: interleaved)
    let normed = tape.rmsNorm(down[1], latent.keyValueNorm, epsilon: ModelConfiguration.Latent.normEpsilon)
    let up = latent.keyValueUp(normed, tape)[0], headStride = shape.plainDimension + shape.valueDimension
    return tape.attention(
      queries, keys: HeadPart(up, headStride: headStride, dimension: shape.plainDimension),
      sharedKey: HeadPart(down[1], offset: rank, headStride: 0, dimension: shape.rotaryDimension),
      values: HeadPart(up, offset: shape.plainDimension, headStride: headStride, dimension: shape.valueDimension),
      headCount: configuration.headCount, keyHeadCount: configuration.headCount, documents: pass.documents,
      prefixes: pass.prefixes, scale: configuration.attentionScale)
  }

  private func mixture(_ x: Value, _ mixture: Mixture, _ tape: Tape, _ pass: TrainingPass) -> Value {
    // Small errors here change which experts run.
    let logits = tape.linear(x, mixture.router, precision: .float32)[0]
    let (routing, weights) = tape.route(logits, mixture.rule, bias: mixture.bias?.value, balance: pass.balance)
    if !tape.isRecomputing {
      pass.balanceSum.value += routing.balanceLoss
      pass.onRouting(index, routing)
    }
    let routed = tape.feedForward(x, mixture.experts, routing, weights: weights)
    guard let shared = mixture.shared else { return routed }
    return tape.add(shared(x, tape), consuming: routed, releasesFirst: true)
  }
}

/// The parameters of one layer by the ends of their names.
struct LayerParameters {
  let parameters: ParameterSet
  let prefix: String

  /// Of adapters.
  private let scale: Float

  init(_ parameters: ParameterSet, layer: Int, adapterScale: Float) {
    self.parameters = parameters
    scale = adapterScale
    prefix = "model.layers.\(layer)."
  }

  func optional(_ name: String) -> Parameter? { parameters[prefix + name] }

  subscript(name: String) -> Parameter {
    guard let parameter = optional(name) else { preconditionFailure("no parameter \(prefix)\(name)") }
    return parameter
  }

  func linear(_ names: String...) -> AdaptedWeights {
    AdaptedWeights(
      LinearWeights(names.map { self[$0 + ".weight"] }, biases: names.map { optional($0 + ".bias") }),
      adapters: names.map { name in
        guard let down = optional(name + AdapterNames.down), let up = optional(name + AdapterNames.up) else { return nil }
        return (down, up)
      }, scale: scale)
  }

  func feedForward(_ name: String) -> AdaptedFeedForward {
    AdaptedFeedForward(gateUp: linear(name + ".gate_proj", name + ".up_proj"), down: linear(name + ".down_proj"))
  }
}

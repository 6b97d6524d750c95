internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Routed experts, each position's `expertsPerToken` of them, beside shared experts that see every position. No token is dropped.
struct MixtureOfExperts: Sendable {
  let router: Router
  /// For each expert `[expert size, hidden]`.
  let gate: [Tensor]
  let up: [Tensor]
  /// For each expert `[hidden, expert size]`.
  let down: [Tensor]
  let shared: DenseFeedForward?

  init(_ mixture: ModelConfiguration.Mixture, hidden: Int, loader: WeightLoader) throws(CheckpointError) {
    router = try Router(mixture, hidden: hidden, loader: loader)
    gate = try Self.experts(mixture.expertCount, "gate", [mixture.expertSize, hidden], loader)
    up = try Self.experts(mixture.expertCount, "up", [mixture.expertSize, hidden], loader)
    down = try Self.experts(mixture.expertCount, "down", [hidden, mixture.expertSize], loader)
    shared =
      mixture.sharedExpertCount == 0
      ? nil
      : try DenseFeedForward(
        hidden: hidden, size: mixture.expertSize * mixture.sharedExpertCount, loader: loader, gate: .sharedGate, up: .sharedUp,
        down: .sharedDown)
  }

  /// GGUF merges the experts of a layer into one tensor; safetensors keep one each.
  private static func experts(_ count: Int, _ kind: String, _ shape: Shape, _ loader: WeightLoader) throws(CheckpointError)
    -> [Tensor]
  {
    let layer = loader.layer ?? 0
    if case .gguf = loader.source {
      let merged = try loader.required("blk.\(layer).ffn_\(kind)_exps.weight", [count, shape[0], shape[1]])
      return (0..<count).map(merged.entry)
    }
    var result: [Tensor] = []
    for expert in 0..<count {
      result.append(try loader.required("model.layers.\(layer).mlp.experts.\(expert).\(kind)_proj.weight", shape))
    }
    return result
  }

  /// `[rows, hidden]` to `[rows, hidden]`.
  func callAsFunction(_ x: Tensor, pass: ForwardPass) -> Tensor {
    let compute = pass.compute, perToken = router.mixture.expertsPerToken
    let (experts, weights) = router(x, pass: pass)

    // Rows grouped by expert; place[i] is where choice i stands among them.
    var offsets = [Int](repeating: 0, count: gate.count + 1)
    for expert in experts { offsets[expert + 1] += 1 }
    for expert in gate.indices { offsets[expert + 1] += offsets[expert] }
    var next = offsets
    var place = [Int](repeating: 0, count: experts.count), rows = place
    for (choice, expert) in experts.enumerated() {
      place[choice] = next[expert]
      rows[next[expert]] = choice / perToken
      next[expert] += 1
    }

    let grouped = compute.gather(x, rows)
    let inner = compute.swiGLU(
      gate: compute.groupedLinear(grouped, gate, offsets: offsets, role: pass.role),
      up: compute.groupedLinear(grouped, up, offsets: offsets, role: pass.role))
    let outputs = compute.groupedLinear(inner, down, offsets: offsets, role: pass.role)
    let routed = compute.weightedSum(outputs, sources: place, weights: weights)
    if let shared { compute.add(shared(x, pass: pass), into: routed) }
    return routed
  }
}

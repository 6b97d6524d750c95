internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Routed experts, each position's `expertsPerToken` of them, beside shared experts that see every position. No token is dropped.
struct MixtureOfExperts: Sendable {
  let router: Router
  /// In the mapped file when experts stay on disk.
  let experts: ExpertWeights
  /// When experts stay on disk: those in memory, and which layer this is to it.
  let cache: (experts: ExpertCache, layer: Int)?
  let shared: DenseFeedForward?

  init(_ mixture: ModelConfiguration.Mixture, hidden: Int, loader: WeightLoader) throws(CheckpointError) {
    router = try Router(mixture, hidden: hidden, loader: loader)
    let experts = ExpertWeights(
      gate: try Self.experts(mixture.expertCount, "gate", [mixture.expertSize, hidden], loader),
      up: try Self.experts(mixture.expertCount, "up", [mixture.expertSize, hidden], loader),
      down: try Self.experts(mixture.expertCount, "down", [hidden, mixture.expertSize], loader))
    self.experts = experts
    cache = loader.expertCache.map { ($0, $0.add(experts)) }
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
      let name = "blk.\(layer).ffn_\(kind)_exps.weight", merged = try loader.required(name, [count, shape[0], shape[1]])
      return (0..<count).map((loader.expertCache == nil ? loader.packed(merged, name) : merged).entry)
    }
    var result: [Tensor] = []
    for expert in 0..<count {
      let name = "model.layers.\(layer).mlp.experts.\(expert).\(kind)_proj.weight", weight = try loader.required(name, shape)
      result.append(loader.expertCache == nil ? loader.packed(weight, name) : weight)
    }
    return result
  }

  /// `[rows, hidden]` to `[rows, hidden]`.
  func callAsFunction(_ x: Tensor, pass: ForwardPass) -> Tensor {
    let compute = pass.compute, (routing, weights) = router(x, pass: pass), offsets = routing.offsets
    let place = routing.places.map(Int.init), rows = routing.rows.map(Int.init)

    guard let cache else {
      let outputs = products(of: compute.gather(x, rows), experts, offsets: offsets, pass)
      let routed = compute.weightedSum(outputs, sources: place, weights: weights)
      if let shared { compute.add(shared(x, pass: pass), into: routed) }
      return routed
    }
    let outputs = compute.make(Shape(rows.count, x.shape.columns))
    var sharedOutput: Tensor?
    cache.experts.run(
      (0..<experts.count).filter { offsets[$0] < offsets[$0 + 1] }, ofLayer: cache.layer,
      meanwhile: { sharedOutput = shared?(x, pass: pass) }
    ) { bunch, weights in
      compute.releasing {
        let ranges = bunch.map { offsets[$0]..<offsets[$0 + 1] }
        let starts = ranges.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        let results = products(of: compute.gather(x, ranges.flatMap { rows[$0] }), weights, offsets: starts, pass)
        for (range, start) in zip(ranges, starts) {
          outputs.rows(range).floats.update(
            from: results.rows(start..<start + range.count).floats, count: range.count * x.shape.columns)
        }
      }
    }
    let routed = compute.weightedSum(outputs, sources: place, weights: weights)
    if let sharedOutput { compute.add(sharedOutput, into: routed) }
    return routed
  }

  /// Each expert with its rows `offsets[e]..<offsets[e + 1]` of `[rows, hidden]`.
  private func products(of x: Tensor, _ experts: ExpertWeights, offsets: [Int], _ pass: ForwardPass) -> Tensor {
    let compute = pass.compute
    let both = compute.groupedLinear(x, [experts.gate, experts.up], offsets: offsets, role: pass.role)
    return compute.groupedLinear(
      compute.swiGLU(gate: both[0], up: both[1]), experts.down, offsets: offsets, role: pass.role)
  }
}

internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Multi-head latent attention (DeepSeek-V2 report, section 2.1): keys and values of all heads come from one latent vector a
/// position, and one rotated key is shared by all heads.
struct LatentAttention: Sendable {
  /// Straight from the hidden state, or from the compressed query.
  let query: Projection
  let queryDown: Projection?
  let queryDownNorm: Tensor?
  let keyValueDown: Projection
  let keyValueDownNorm: Tensor
  /// `[heads * (plain + value), latent]`: of each head the keys' part and then the values'. With weights in memory: keys and values are then
  /// expanded once and cached, and the two below are empty.
  let keyValueUp: Projection?
  /// For each head `[latent, plain]`: takes a query into the latent space.
  let keyAbsorption: [Tensor]
  /// For each head `[value, latent]`.
  let valueUp: [Tensor]
  let output: Projection
  let headCount: Int
  let latent: ModelConfiguration.Latent
  let isInterleaved: Bool
  let scale: Float

  init(_ configuration: ModelConfiguration, _ latent: ModelConfiguration.Latent, loader: WeightLoader) throws(CheckpointError) {
    let hidden = configuration.hiddenSize, headCount = configuration.headCount
    let queryWidth = headCount * (latent.plainDimension + latent.rotaryDimension)
    self.headCount = headCount
    self.latent = latent
    isInterleaved = configuration.rotary.isInterleaved
    scale = configuration.attentionScale
    if let rank = latent.queryRank {
      queryDown = try loader.projection(.queryDown, out: rank, in: hidden, bias: .queryKeyValue)
      queryDownNorm = try loader.floats(.queryDownNorm, [rank])
      query = try loader.projection(.queryUp, out: queryWidth, in: rank)
    } else {
      queryDown = nil
      queryDownNorm = nil
      query = try loader.projection(.query, out: queryWidth, in: hidden)
    }
    keyValueDown = try loader.projection(
      .keyValueDown, out: latent.keyValueRank + latent.rotaryDimension, in: hidden, bias: .queryKeyValue)
    keyValueDownNorm = try loader.floats(.keyValueDownNorm, [latent.keyValueRank])
    output = try loader.projection(
      .attentionOutput, out: hidden, in: headCount * latent.valueDimension, bias: .attentionOutput)
    if loader.source.isMemory {
      keyValueUp = try loader.projection(
        .keyValueUp, out: headCount * (latent.plainDimension + latent.valueDimension), in: latent.keyValueRank)
      (keyAbsorption, valueUp) = ([], [])
    } else {
      keyValueUp = nil
      (keyAbsorption, valueUp) = try Self.upProjections(latent, headCount: headCount, loader: loader)
    }
  }

  /// The checkpoint's `kv_b` holds, head by head, the rows of keys and then of values; GGUF files may have it split, the key
  /// part already transposed.
  private static func upProjections(
    _ latent: ModelConfiguration.Latent, headCount: Int, loader: WeightLoader
  ) throws(CheckpointError) -> (keys: [Tensor], values: [Tensor]) {
    let rank = latent.keyValueRank, plain = latent.plainDimension, values = latent.valueDimension
    if case .gguf = loader.source, let layer = loader.layer,
      let keyPart = try loader.optional("blk.\(layer).attn_k_b.weight", [headCount, rank, plain])
    {
      let valuePart = try loader.required("blk.\(layer).attn_v_b.weight", [headCount, values, rank])
      return (
        (0..<headCount).map(loader.packed(keyPart, "blk.\(layer).attn_k_b.weight").entry),
        (0..<headCount).map(loader.packed(valuePart, "blk.\(layer).attn_v_b.weight").entry)
      )
    }
    let whole = try loader.required(.keyValueUp, [headCount * (plain + values), rank])
    try loader.count(copyOf: whole, named: loader.name(.keyValueUp))
    // Copies have the rounding of the kernels that made them.
    let name = loader.name(.keyValueUp), made = "transposed by \(Kernels.best.name)"
    return (
      (0..<headCount).map {
        let keys = whole.rows($0 * (plain + values)..<$0 * (plain + values) + plain)
        return loader.packed(keys.transposed(), "\(name), keys of head \($0), \(made)")
      },
      (0..<headCount).map {
        let rows = whole.rows($0 * (plain + values) + plain..<($0 + 1) * (plain + values))
        return loader.packed(rows, "\(name), values of head \($0)")
      }
    )
  }

  /// - Parameter x: `[rows, hidden]`, normed.
  /// - Returns: `[rows, hidden]`
  func callAsFunction(_ x: Tensor, layer: Int, pass: ForwardPass) -> Tensor {
    let compute = pass.compute
    let queries = makeQueries(x, pass)
    let attended: Tensor
    if let keyValueUp {
      let sequences = pass.attentionSequences(layer: layer)
      storeExpanded(x, keyValueUp, sequences, pass)
      attended = compute.attention(
        queries, heads: headCount, sequences: sequences, scale: scale, isExact: output.weight.type.keepsInputs)
    } else {
      store(x, layer: layer, pass)
      attended =
        switch pass.attentionForm {
        case .absorbed: absorbed(queries, layer: layer, pass)
        case .expanded: expanded(queries, layer: layer, pass)
        }
    }
    return compute.linear(attended, output, role: pass.role)
  }

  /// Queries with their rotary part rotated: `[rows, heads * (plain + rotary)]`.
  private func makeQueries(_ x: Tensor, _ pass: ForwardPass) -> Tensor {
    let compute = pass.compute
    var input = x
    if let queryDown, let queryDownNorm {
      input = compute.rmsNorm(
        compute.linear(x, queryDown, role: pass.role), queryDownNorm, epsilon: ModelConfiguration.Latent.normEpsilon)
    }
    let queries = compute.linear(input, query, role: pass.role)
    compute.rotate(
      queries, headStride: latent.plainDimension + latent.rotaryDimension, offset: latent.plainDimension,
      dimension: latent.rotaryDimension, angles: pass.angles, interleaved: isInterleaved)
    return queries
  }

  /// The normed latent of every row, and the rotated shared key behind the latent as it was: `[rows, latent]`, `[rows, latent + rotary]`.
  private func makeLatents(_ x: Tensor, _ pass: ForwardPass) -> (normed: Tensor, both: Tensor) {
    let compute = pass.compute, rank = latent.keyValueRank
    let both = compute.linear(x, keyValueDown, role: pass.role)
    let normed = compute.rmsNorm(both, keyValueDownNorm, epsilon: ModelConfiguration.Latent.normEpsilon)
    compute.rotate(
      both, headStride: rank + latent.rotaryDimension, offset: rank, dimension: latent.rotaryDimension, angles: pass.angles,
      interleaved: isInterleaved)
    return (normed, both)
  }

  /// Puts keys and values of all heads of every row into the cache.
  private func storeExpanded(_ x: Tensor, _ keyValueUp: Projection, _ sequences: [AttentionSequence], _ pass: ForwardPass) {
    let compute = pass.compute, (normed, both) = makeLatents(x, pass), plain = latent.plainDimension,
      value = latent.valueDimension
    let up = compute.linear(normed, keyValueUp, role: pass.role)
    compute.store(up, headStride: plain + value, count: plain, as: .keys, sequences: sequences)
    compute.store(
      both, headStride: 0, sourceOffset: latent.keyValueRank, count: latent.rotaryDimension, as: .keys, offset: plain,
      sequences: sequences)
    compute.store(up, headStride: plain + value, sourceOffset: plain, count: value, as: .values, sequences: sequences)
  }

  /// Puts the normed latent and the rotated shared key of every row into the cache.
  private func store(_ x: Tensor, layer: Int, _ pass: ForwardPass) {
    let compute = pass.compute, rank = latent.keyValueRank, width = rank + latent.rotaryDimension
    let (normed, both) = makeLatents(x, pass)
    compute.copyHeads(normed, headStride: rank, offset: 0, count: rank, to: both, headStride: width, offset: 0)
    compute.store(both, headStride: 0, count: width, as: .keys, sequences: pass.attentionSequences(layer: layer))
  }

  /// Attention in the latent space: `[rows, heads * value]`.
  private func absorbed(_ queries: Tensor, layer: Int, _ pass: ForwardPass) -> Tensor {
    let compute = pass.compute, rank = latent.keyValueRank
    let headWidth = latent.plainDimension + latent.rotaryDimension, latentWidth = rank + latent.rotaryDimension
    let latentQueries = compute.headwiseLinear(
      queries, headStride: headWidth, keyAbsorption, outputHeadStride: latentWidth, role: pass.role)
    compute.copyHeads(
      queries, headStride: headWidth, offset: latent.plainDimension, count: latent.rotaryDimension, to: latentQueries,
      headStride: latentWidth, offset: rank)
    let sums = compute.attention(
      latentQueries, heads: headCount, sequences: pass.attentionSequences(layer: layer), scale: scale,
      isExact: output.weight.type.keepsInputs)
    return compute.headwiseLinear(sums, headStride: rank, valueUp, outputHeadStride: latent.valueDimension, role: pass.role)
  }

  /// Attention over keys and values expanded for every position of the cache: `[rows, heads * value]`.
  private func expanded(_ queries: Tensor, layer: Int, _ pass: ForwardPass) -> Tensor {
    let compute = pass.compute, rank = latent.keyValueRank
    let headWidth = latent.plainDimension + latent.rotaryDimension, latentWidth = rank + latent.rotaryDimension
    let keyUp = keyAbsorption.map { $0.transposed() }
    let length = KeyValueBlocks.blockLength
    let sequences = pass.attentionSequences(layer: layer).map { sequence in
      var sequence = sequence
      var keyBlocks: [UnsafeMutableRawPointer] = [], valueBlocks: [UnsafeMutableRawPointer] = []
      for block in sequence.blocks.keys {
        let cached = compute.expandBlock(block + sequence.blocks.keyOffset, type: sequence.blocks.type, width: latentWidth)
        let keys = compute.headwiseLinear(
          compute.repeatHeads(cached, heads: headCount), headStride: latentWidth, keyUp, outputHeadStride: headWidth,
          role: pass.role)
        compute.copyHeads(
          compute.repeatHeads(cached, heads: headCount), headStride: latentWidth, offset: rank, count: latent.rotaryDimension,
          to: keys, headStride: headWidth, offset: latent.plainDimension)
        let values = compute.headwiseLinear(
          compute.repeatHeads(cached, heads: headCount), headStride: latentWidth, valueUp,
          outputHeadStride: latent.valueDimension,
          role: pass.role)
        keyBlocks.append(compute.headsFirst(keys, heads: headCount).address)
        valueBlocks.append(compute.headsFirst(values, heads: headCount).address)
      }
      precondition(sequence.blocks.keys.count * length >= sequence.startPosition + sequence.rows.count)
      sequence.blocks = KeyValueBlocks(
        keys: keyBlocks, values: valueBlocks, type: .float32, headCount: headCount, keyDimension: headWidth,
        valueDimension: latent.valueDimension, valueStride: latent.valueDimension)
      return sequence
    }
    return compute.attention(queries, heads: headCount, sequences: sequences, scale: scale)
  }
}

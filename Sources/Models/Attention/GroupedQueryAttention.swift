internal import SwiftletCheckpoints
internal import SwiftletTensors

/// Grouped-query attention with rotary embedding (Llama, Qwen2).
struct GroupedQueryAttention: Sendable {
  let query: Projection
  let key: Projection
  let value: Projection
  let output: Projection
  let headCount: Int
  let keyValueHeadCount: Int
  let headDimension: Int
  let isInterleaved: Bool
  let scale: Float

  init(
    _ configuration: ModelConfiguration, keyValueHeadCount: Int, headDimension: Int, loader: WeightLoader
  ) throws(CheckpointError) {
    let hidden = configuration.hiddenSize
    headCount = configuration.headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headDimension = headDimension
    isInterleaved = configuration.rotary.isInterleaved
    scale = configuration.attentionScale
    query = try loader.projection(.query, out: headCount * headDimension, in: hidden, bias: .queryKeyValue)
    key = try loader.projection(.key, out: keyValueHeadCount * headDimension, in: hidden, bias: .queryKeyValue)
    value = try loader.projection(.value, out: keyValueHeadCount * headDimension, in: hidden, bias: .queryKeyValue)
    output = try loader.projection(.attentionOutput, out: hidden, in: headCount * headDimension, bias: .attentionOutput)
  }

  /// - Parameter x: `[rows, hidden]`, normed.
  /// - Returns: `[rows, hidden]`
  func callAsFunction(_ x: Tensor, layer: Int, pass: ForwardPass) -> Tensor {
    let compute = pass.compute
    let projected = compute.linear(x, [query, key, value], role: pass.role)
    let (queries, keys, values) = (projected[0], projected[1], projected[2])
    for heads in [queries, keys] {
      compute.rotate(
        heads, headStride: headDimension, offset: 0, dimension: headDimension, angles: pass.angles, interleaved: isInterleaved)
    }
    let sequences = pass.attentionSequences(layer: layer)
    compute.store(keys, headStride: headDimension, count: headDimension, as: .keys, sequences: sequences)
    compute.store(values, headStride: headDimension, count: headDimension, as: .values, sequences: sequences)
    let attended = compute.attention(
      queries, heads: headCount, sequences: sequences, scale: scale, isExact: output.weight.type.keepsInputs)
    return compute.linear(attended, output, role: pass.role)
  }
}

internal import SwiftletCheckpoints
internal import SwiftletTensors

/// `down(silu(gate(x)) * up(x))`
struct DenseFeedForward: Sendable {
  let gate: Projection
  let up: Projection
  let down: Projection

  init(
    hidden: Int, size: Int, loader: WeightLoader, gate: WeightName = .gate, up: WeightName = .up, down: WeightName = .down
  ) throws(CheckpointError) {
    self.gate = try loader.projection(gate, out: size, in: hidden, bias: .feedForward)
    self.up = try loader.projection(up, out: size, in: hidden, bias: .feedForward)
    self.down = try loader.projection(down, out: hidden, in: size, bias: .feedForward)
  }

  /// `[rows, hidden]` to `[rows, hidden]`.
  func callAsFunction(_ x: Tensor, pass: ForwardPass) -> Tensor {
    let compute = pass.compute
    let both = compute.linear(x, [gate, up], role: pass.role)
    return compute.linear(compute.swiGLU(gate: both[0], up: both[1]), down, role: pass.role)
  }
}

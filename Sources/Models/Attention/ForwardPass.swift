internal import SwiftletTensors

/// What every layer of one pass shares: the rows being computed and where they belong.
struct ForwardPass {
  let compute: Compute
  let role: PositionRole
  /// Each sequence's rows of the pass, consecutive and in order.
  let sequences: [Sequence]
  let angles: RotaryAngles
  let attentionForm: AttentionForm

  struct Sequence {
    let rows: Range<Int>
    let cache: KeyValueCache
    /// Where the first row stands.
    let startPosition: Int
  }

  /// The attention sequences of one layer, over the cache's own blocks.
  func attentionSequences(layer: Int) -> [AttentionSequence] {
    sequences.map { AttentionSequence(rows: $0.rows, startPosition: $0.startPosition, blocks: $0.cache.layer(layer)) }
  }
}

/// How latent attention is computed. Both give the same results up to rounding.
public enum AttentionForm: Sendable {
  /// Queries are brought into the latent space; the cache is read as it is.
  case absorbed
  /// Keys and values of every position are expanded from the cache: the definition, for reference.
  case expanded
}

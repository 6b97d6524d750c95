/// Sequences of tokens that are computed together, one after the other.
public struct TokenBatch: Sendable, Equatable {
  /// `[sequences * length]`.
  public var tokens: [Int]
  /// By token the one to predict, or -1 where there is none: behind the end of what a sequence holds, where a conversation is only read, and,
  /// unless sequences may be learned across documents, at the end of a document. `[sequences * length]`.
  public var targets: [Int]
  /// What belongs to one document, as ranges of `tokens`; together all of them. Padding is a range of its own.
  public var documents: [Range<Int>]
  /// The sequences, as ranges of `tokens`.
  public var sequences: [Range<Int>]
  /// By sequence: which source it came from.
  public var sources: [Int]
  /// What fills sequences up, as ranges of `tokens`.
  public var padding: [Range<Int>] = []
  /// Of whole documents, which they are; empty where sequences are cut from a stream.
  public var origins: [Origin] = []

  public struct Origin: Sendable, Equatable {
    public var source: Int
    /// Of the source.
    public var document: Int
  }

  /// How many tokens are to be predicted.
  public var targetCount: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }
}

/// How sequences are made of documents.
public enum SequencePacking: String, Sendable, Hashable, CaseIterable, Codable {
  /// Documents one after the other without gaps, cut where a sequence is full, as models are pretrained.
  case stream
  /// Whole documents, as many as fit; what is left is padding. Longer ones are cut at their end. For conversations.
  case documents
}

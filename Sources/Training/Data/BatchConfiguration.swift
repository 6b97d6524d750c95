/// Which batches are made of which data, in which order.
public struct BatchConfiguration: Sendable, Equatable {
  /// Tokens a sequence.
  public var sequenceLength: Int
  public var sequencesPerBatch: Int
  public var seed: UInt64
  /// Else everything comes in the order of the files.
  public var shuffles: Bool
  public var packing: SequencePacking
  /// Whether the first token of a document is predicted from the document before it.
  public var crossesDocuments: Bool
  /// How often the data is gone through; nil for without end.
  public var epochs: Int?
  /// What padding consists of. It is never predicted.
  public var paddingToken: Int
  /// For measuring: so many sequences, spread evenly over all that an epoch has, in their order; nil for all. The data is gone
  /// through once then, and must not be shuffled.
  public var sequenceCount: Int?

  public init(
    sequenceLength: Int, sequencesPerBatch: Int, seed: UInt64 = 0, shuffles: Bool = true, packing: SequencePacking = .stream,
    crossesDocuments: Bool = true, epochs: Int? = nil, paddingToken: Int = 0, sequenceCount: Int? = nil
  ) {
    self.sequenceLength = sequenceLength
    self.sequencesPerBatch = sequencesPerBatch
    self.seed = seed
    self.shuffles = shuffles
    self.packing = packing
    self.crossesDocuments = crossesDocuments
    self.epochs = epochs
    self.paddingToken = paddingToken
    self.sequenceCount = sequenceCount
  }

  /// All that decides the order of batches but the number of epochs, which may be raised later.
  var identity: String {
    "\(sequenceLength) \(sequencesPerBatch) \(seed) \(shuffles) \(packing.rawValue) \(crossesDocuments) \(paddingToken)"
      + (sequenceCount.map { " \($0)" } ?? "")
  }

  func check() throws(DataError) {
    func require(_ condition: Bool, _ name: String, _ reason: String) throws(DataError) {
      guard condition else { throw DataError(.setting, file: name, reason: reason) }
    }
    try require((1...1 << 24).contains(sequenceLength), "sequenceLength", "found \(sequenceLength), expected 1 to \(1 << 24)")
    try require(
      (1...1 << 24).contains(sequencesPerBatch), "sequencesPerBatch", "found \(sequencesPerBatch), expected 1 to \(1 << 24)")
    try require(epochs.map { $0 > 0 } ?? true, "epochs", "found \(epochs ?? 0), expected at least 1")
    try require(
      sequenceCount.map { $0 > 0 && !shuffles } ?? true, "sequenceCount",
      "found \(sequenceCount ?? 0), expected at least 1, and shuffles: false")
  }
}

/// Data, and how much of a mixture comes from it.
public struct DataSource: Sendable {
  public var dataset: TokenDataset
  /// In relation to the other weights: the share of the sequences.
  public var weight: Double

  public init(_ dataset: TokenDataset, weight: Double = 1) {
    self.dataset = dataset
    self.weight = weight
  }
}

/// Where an iteration over batches stands. Whoever goes on from it gets exactly the batches that would have come.
public struct BatchPosition: Sendable, Equatable, Codable {
  struct Source: Sendable, Equatable, Codable {
    /// Sequences taken so far.
    var taken = 0
    var epoch = 0
    /// The next sequence of the epoch; with whole documents, the next document.
    var next = 0
  }

  /// Of data and configuration: a position is worth nothing with others.
  let identity: UInt64
  var sources: [Source]
}

internal import SwiftletCheckpoints

/// Batches of a mixture of datasets, without end or for some epochs.
///
/// The next sequence is from the source that is furthest behind its share. Within a source, sequences (or documents) come in
/// an order that follows from seed and epoch. Each epoch cuts the stream of tokens in other places.
/// Nothing is kept but numbers, so a position can be written down after every batch.
public struct BatchIterator: Sendable {
  public let sources: [DataSource]
  public let configuration: BatchConfiguration
  /// Before the next batch.
  public private(set) var position: BatchPosition
  private var orders: [IndexPermutation?]
  /// By source, where the sequences begin that `sequenceCount` chooses: the number of a sequence in the stream, or of a document.
  private var starts: [[Int]]?

  /// - Parameter position: where to go on; nil begins.
  /// - Throws: `DataError`: `.setting` for weights and numbers that cannot be, or a position of other data; `.vocabulary` when the sources'
  ///   vocabularies differ; `.empty` when a source has not enough tokens for one sequence.
  public init(_ sources: [DataSource], _ configuration: BatchConfiguration, at position: BatchPosition? = nil) throws(DataError) {
    try configuration.check()
    guard let first = sources.first?.dataset else { throw DataError(.setting, file: "sources", reason: "there are none") }
    for source in sources {
      let dataset = source.dataset
      guard source.weight > 0, source.weight.isFinite else {
        throw DataError(.setting, file: dataset.folder, reason: "found the weight \(source.weight), expected more than 0")
      }
      guard dataset.vocabulary == first.vocabulary else {
        throw DataError(
          .vocabulary, file: dataset.folder, reason: "was made with another vocabulary than \(first.folder), expected the same")
      }
      let needed = configuration.sequenceLength + 1
      guard configuration.packing == .documents || dataset.tokenCount >= needed else {
        throw DataError(
          .empty, file: dataset.folder,
          reason:
            "has \(dataset.tokenCount) tokens for \(dataset.split.rawValue), expected at least \(needed): one sequence and its last target"
        )
      }
    }
    guard (0..<first.vocabulary.size).contains(configuration.paddingToken) else {
      throw DataError(
        .setting, file: "paddingToken",
        reason: "found \(configuration.paddingToken), expected a token below \(first.vocabulary.size)")
    }
    let identity = Self.identity(sources, configuration)
    if let position {
      guard position.identity == identity, position.sources.count == sources.count else {
        throw DataError(
          .setting, file: first.folder,
          reason: "the position to go on from belongs to other data, seed, lengths or weights: go on with those, or begin anew")
      }
    }
    self.sources = sources
    self.configuration = configuration
    self.position = position ?? BatchPosition(identity: identity, sources: sources.map { _ in BatchPosition.Source() })
    orders = sources.map { _ in nil }
    for source in sources.indices {
      let here = self.position.sources[source]
      guard (0..<count(source)).contains(here.next), [here.taken, here.epoch].allSatisfy((0...1 << 48).contains) else {
        throw DataError(.damaged, file: first.folder, reason: "the position to go on from is outside of the data: it is damaged")
      }
    }
    for source in sources.indices { makeOrder(source) }
    if let count = configuration.sequenceCount { starts = spread(count) }
  }

  private static func identity(_ sources: [DataSource], _ configuration: BatchConfiguration) -> UInt64 {
    var parts = [configuration.identity]
    for source in sources { parts.append("\(source.weight) \(source.dataset.split.rawValue) \(source.dataset.checksum)") }
    return Checksum64.of(Array(parts.joined(separator: "\n").utf8))
  }

  /// The next batch; nil when all epochs are over. The last batch may have fewer sequences.
  /// - Throws: `DataError` when a file changed since it was opened.
  public mutating func next() throws(DataError) -> TokenBatch? {
    var batch = TokenBatch(tokens: [], targets: [], documents: [], sequences: [], sources: [])
    batch.tokens.reserveCapacity(configuration.sequencesPerBatch * configuration.sequenceLength)
    batch.targets.reserveCapacity(configuration.sequencesPerBatch * configuration.sequenceLength)
    while batch.sequences.count < configuration.sequencesPerBatch, let source = nextSource() {
      let start = batch.tokens.count
      if let starts {
        let taken = position.sources[source].taken
        position.sources[source].next = starts[source][taken]
      }
      switch configuration.packing {
      case .stream: addStream(source, &batch)
      case .documents: addDocuments(source, &batch)
      }
      batch.sequences.append(start..<batch.tokens.count)
      batch.sources.append(source)
      position.sources[source].taken += 1
    }
    for source in sources { try source.dataset.check() }
    return batch.sequences.isEmpty ? nil : batch
  }

  /// The source that is furthest behind its share, the first among equals; nil when all are gone through.
  private func nextSource() -> Int? {
    nextSource(taken: position.sources.map(\.taken)) { source in
      if let starts { return position.sources[source].taken < starts[source].count }
      return configuration.epochs.map { position.sources[source].epoch < $0 } ?? true
    }
  }

  private func nextSource(taken: [Int], isOpen: (Int) -> Bool) -> Int? {
    sources.indices.filter(isOpen).min {
      Double(taken[$0] + 1) / sources[$0].weight < Double(taken[$1] + 1) / sources[$1].weight
    }
  }

  /// By source, where so many sequences begin: as many of a source as its weight gives it, spread evenly over all that it has.
  private func spread(_ count: Int) -> [[Int]] {
    let all = sources.indices.map { sequenceStarts($0) }
    var taken = sources.map { _ in 0 }
    for _ in 0..<count {
      guard let source = nextSource(taken: taken, isOpen: { taken[$0] < all[$0].count }) else { break }
      taken[source] += 1
    }
    return zip(all, taken).map { starts, count in (0..<count).map { starts[$0 * starts.count / count] } }
  }

  /// Where each sequence of a source begins when nothing is shuffled; see `starts`.
  private func sequenceStarts(_ source: Int) -> [Int] {
    guard configuration.packing == .documents else { return Array(0..<count(source)) }
    let dataset = sources[source].dataset
    var starts: [Int] = [], filled = 0
    for document in 0..<dataset.documentCount {
      let length = dataset.document(document).count
      if starts.isEmpty || filled + length > configuration.sequenceLength {
        starts.append(document)
        filled = 0
      }
      filled += length
    }
    return starts
  }

  /// Sequences, or documents, of an epoch. In a stream each needs one token more, its last target.
  private func count(_ source: Int) -> Int {
    let dataset = sources[source].dataset
    guard configuration.packing == .stream else { return dataset.documentCount }
    let spare = configuration.shuffles ? configuration.sequenceLength - 1 : 0
    return max(1, (dataset.tokenCount - 1 - spare) / configuration.sequenceLength)
  }

  private mutating func makeOrder(_ source: Int) {
    guard configuration.shuffles else { return }
    orders[source] = IndexPermutation(
      count: count(source), seed: configuration.seed, epoch: position.sources[source].epoch, stream: source)
  }

  /// Takes the next sequence or document of a source.
  private mutating func take(_ source: Int) -> (index: Int, epoch: Int) {
    let here = position.sources[source]
    let index = orders[source]?[here.next] ?? here.next
    position.sources[source].next += 1
    if here.next + 1 >= count(source) {
      position.sources[source].next = 0
      position.sources[source].epoch += 1
      makeOrder(source)
    }
    return (index, here.epoch)
  }

  private mutating func addStream(_ source: Int, _ batch: inout TokenBatch) {
    let (index, epoch) = take(source), length = configuration.sequenceLength, dataset = sources[source].dataset
    // Where the epoch's first sequence begins.
    let room = dataset.tokenCount - 1 - count(source) * length
    var random = SeededGenerator(configuration.seed, UInt64(epoch), UInt64(source), 1)
    let first = configuration.shuffles ? Int.random(in: 0...min(room, length - 1), using: &random) : 0
    let range = first + index * length..<first + (index + 1) * length
    let start = batch.tokens.count
    // The token behind the sequence is its last target; it may be of the next document.
    dataset.forEachDocument(in: range.lowerBound..<range.upperBound + 1) { shard, part in
      let isFirst = batch.tokens.count == start
      // The token before this part has its target here.
      if !isFirst {
        let isTarget = configuration.crossesDocuments && shard.isTarget(part.lowerBound)
        batch.targets.append(isTarget ? shard.token(part.lowerBound) : -1)
      }
      add(shard, part, limit: start + length, &batch)
    }
  }

  private mutating func addDocuments(_ source: Int, _ batch: inout TokenBatch) {
    let length = configuration.sequenceLength, start = batch.tokens.count, epoch = position.sources[source].epoch
    let dataset = sources[source].dataset
    // Sequences do not mix epochs, so that an epoch's end is the same for all lengths.
    while position.sources[source].epoch == epoch {
      let here = position.sources[source].next
      let document = orders[source]?[here] ?? here, range = dataset.document(document)
      let isFirst = batch.tokens.count == start
      guard isFirst || batch.tokens.count - start + range.count <= length else { break }
      _ = take(source)
      batch.origins.append(TokenBatch.Origin(source: source, document: document))
      dataset.forEachDocument(in: range) { shard, part in
        add(shard, part.prefix(length), limit: start + length, &batch)
        // Nothing follows the document.
        if batch.targets.count < batch.tokens.count { batch.targets.append(-1) }
      }
    }
    let padding = start + length - batch.tokens.count
    guard padding > 0 else { return }
    batch.documents.append(batch.tokens.count..<start + length)
    batch.padding.append(batch.tokens.count..<start + length)
    batch.tokens += repeatElement(configuration.paddingToken, count: padding)
    batch.targets += repeatElement(-1, count: padding)
  }

  /// Adds tokens of one document up to a limit, and the targets of all but the last, which whoever calls knows: it is behind them.
  private func add(_ shard: TokenShard, _ part: Range<Int>, limit: Int, _ batch: inout TokenBatch) {
    let taken = part.prefix(limit - batch.tokens.count)
    guard !taken.isEmpty else { return }
    batch.documents.append(batch.tokens.count..<batch.tokens.count + taken.count)
    for index in taken { batch.tokens.append(shard.token(index)) }
    // With the token behind the limit, where the document goes on there.
    for index in part.dropFirst().prefix(taken.count) { batch.targets.append(shard.isTarget(index) ? shard.token(index) : -1) }
  }
}

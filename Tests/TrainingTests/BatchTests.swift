import Foundation
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// Batches: every token in its place, and the same ones again from any position.
@Suite struct BatchTests {
  private let texts = (0..<40).map { Sample.text(UInt64($0), words: 3 + $0 * 7 % 60) }

  private func all(_ iterator: BatchIterator) throws -> [TokenBatch] {
    var iterator = iterator, batches: [TokenBatch] = []
    while let batch = try iterator.next() { batches.append(batch) }
    return batches
  }

  @Test(arguments: [true, false]) func streamInOrder(_ crossesDocuments: Bool) throws {
    let folder = try DataFolder()
    let data = try Sample.dataset(folder, "a", texts, shardTokens: 300), stream = data.tokens, ends = Set(data.ends)
    let configuration = BatchConfiguration(
      sequenceLength: 32, sequencesPerBatch: 3, shuffles: false, crossesDocuments: crossesDocuments, epochs: 1)
    let batches = try all(BatchIterator([DataSource(data)], configuration))
    let tokens = batches.flatMap(\.tokens), targets = batches.flatMap(\.targets)
    let count = (stream.count - 1) / 32 * 32
    #expect(tokens == Array(stream[..<count]))
    #expect(targets == (1...count).map { ends.contains($0) && !crossesDocuments ? -1 : stream[$0] })
    #expect(batches.dropLast().allSatisfy { $0.tokens.count == 96 && $0.sequences == [0..<32, 32..<64, 64..<96] })
    var start = 0
    for batch in batches {
      // One range after the other, cut where a sequence or a document ends.
      #expect(batch.documents.first?.lowerBound == 0 && batch.documents.last?.upperBound == batch.tokens.count)
      for (range, next) in zip(batch.documents, batch.documents.dropFirst()) { #expect(range.upperBound == next.lowerBound) }
      let cuts = Set(batch.documents.map { $0.upperBound + start })
      let expected = (start + 1...start + batch.tokens.count).filter { ends.contains($0) || $0 % 32 == 0 }
      #expect(cuts == Set(expected))
      start += batch.tokens.count
    }
  }

  @Test func shuffledStream() throws {
    let folder = try DataFolder()
    let data = try Sample.dataset(folder, "a", texts, shardTokens: 300), stream = data.tokens
    func starts(_ seed: UInt64, _ epoch: Int) throws -> [Int] {
      let configuration = BatchConfiguration(sequenceLength: 16, sequencesPerBatch: 1, seed: seed, epochs: epoch + 1)
      let batches = try all(BatchIterator([DataSource(data)], configuration))
      let perEpoch = batches.count / (epoch + 1)
      return batches.suffix(perEpoch).map { batch in
        #expect(batch.targets.dropLast().elementsEqual(batch.tokens.dropFirst()))
        let places = (0..<stream.count - 16).filter {
          stream[$0..<$0 + 16].elementsEqual(batch.tokens) && stream[$0 + 16] == batch.targets[15]
        }
        return places.count == 1 ? places[0] : -1
      }
    }
    let first = try starts(1, 0), known = first.filter { $0 >= 0 }
    // Every sequence once: they do not overlap, and together they are nearly all.
    #expect(known.count > first.count * 9 / 10 && first.count == (stream.count - 16) / 16)
    #expect(Set(known.map { $0 % 16 }).count == 1 && Set(known).count == known.count)
    #expect(known != known.sorted())
    #expect(try starts(1, 0) == first && starts(2, 0) != first && starts(1, 1) != first)
  }

  @Test(arguments: [SequencePacking.stream, .documents], [1, 4]) func goesOnAnywhere(_ packing: SequencePacking, _ perBatch: Int)
    throws
  {
    let folder = try DataFolder()
    let sources = try [
      DataSource(Sample.dataset(folder, "a", texts, shardTokens: 300), weight: 3),
      DataSource(Sample.dataset(folder, "b", texts.map { $0 + "!" }), weight: 1.5),
    ]
    let configuration = BatchConfiguration(sequenceLength: 64, sequencesPerBatch: perBatch, seed: 7, packing: packing)
    var unbroken = try BatchIterator(sources, configuration)
    var batches: [TokenBatch] = [], positions: [Data] = []
    for _ in 0..<120 {
      positions.append(try JSONEncoder().encode(unbroken.position))
      batches.append(try #require(try unbroken.next()))
    }
    #expect(positions.allSatisfy { $0.count < 200 })
    for start in [0, 1, 17, 59, 119] {
      let position = try JSONDecoder().decode(BatchPosition.self, from: positions[start])
      // Data and iterator are made anew, as another process does.
      let reopened = try sources.map { DataSource(try TokenDataset(folder: $0.dataset.folder), weight: $0.weight) }
      var iterator = try BatchIterator(reopened, configuration, at: position)
      for index in start..<120 { #expect(try iterator.next() == batches[index]) }
      #expect(iterator.position == unbroken.position)
    }
    var other = configuration
    other.seed = 8
    let error = #expect(throws: DataError.self) { try BatchIterator(sources, other, at: unbroken.position) }
    #expect(error?.kind == .setting)
  }

  @Test func weights() throws {
    let folder = try DataFolder()
    let data = try ["a", "b", "c"].map { name in try Sample.dataset(folder, name, texts.map { name + $0 }) }
    let sources = zip(data, [0.7, 0.2, 0.1]).map { DataSource($0, weight: $1) }
    var iterator = try BatchIterator(sources, BatchConfiguration(sequenceLength: 32, sequencesPerBatch: 10))
    var counts = [0, 0, 0]
    for _ in 0..<100 {
      let batch = try #require(try iterator.next())
      for source in batch.sources { counts[source] += 1 }
      let total = Double(counts.reduce(0, +))
      // Never more than a sequence from its share.
      for (count, share) in zip(counts, [0.7, 0.2, 0.1]) { #expect(abs(Double(count) - share * total) <= 1.01) }
    }
  }

  @Test func wholeDocuments() throws {
    let folder = try DataFolder()
    let data = try Sample.dataset(folder, "a", texts, shardTokens: 300), stream = data.tokens
    let configuration = BatchConfiguration(
      sequenceLength: 64, sequencesPerBatch: 2, packing: .documents, epochs: 1, paddingToken: 2)
    var found: [[Int]] = []
    for batch in try all(BatchIterator([DataSource(data)], configuration)) {
      #expect(batch.tokens.count == 64 * batch.sequences.count && batch.targets.count == batch.tokens.count)
      #expect(batch.documents.map(\.count).reduce(0, +) == batch.tokens.count)
      for document in batch.documents {
        let tokens = Array(batch.tokens[document]), targets = Array(batch.targets[document])
        if tokens[0] == 2 {
          #expect(tokens.allSatisfy { $0 == 2 } && targets.allSatisfy { $0 == -1 })
        } else {
          #expect(targets == tokens.dropFirst() + [-1])
          found.append(tokens)
        }
      }
    }
    let expected = (0..<data.documentCount).map { Array(stream[data.document($0)].prefix(64)) }
    #expect(expected.contains { $0.count == 64 })
    #expect(
      found != expected
        && found.sorted { $0.lexicographicallyPrecedes($1) } == expected.sorted { $0.lexicographicallyPrecedes($1) })
  }

  @Test(arguments: [SequencePacking.stream, .documents]) func sequencesAreSpread(_ packing: SequencePacking) throws {
    let folder = try DataFolder()
    let data = try Sample.dataset(folder, "a", texts, shardTokens: 300), other = try Sample.dataset(folder, "b", texts.reversed())
    var configuration = BatchConfiguration(
      sequenceLength: 64, sequencesPerBatch: 1, shuffles: false, packing: packing, epochs: 1)
    func batches(_ sources: [DataSource], _ count: Int?) throws -> [TokenBatch] {
      configuration.sequenceCount = count
      return try all(BatchIterator(sources, configuration))
    }
    let every = try batches([DataSource(data)], nil), count = every.count
    #expect(count > 10)
    for chosen in [1, 4, 7, count - 1, count, count + 9] {
      let places = (0..<min(chosen, count)).map { $0 * count / min(chosen, count) }
      #expect(try batches([DataSource(data)], chosen) == places.map { every[$0] })
    }
    // Of a mixture as many as the weights say, and all of it in the order that it has.
    let mixture = [DataSource(data, weight: 3), DataSource(other, weight: 1)]
    let mixed = try batches(mixture, 8), some = try batches([DataSource(data)], 6), others = try batches([DataSource(other)], 2)
    #expect(mixed.map { $0.sources[0] } == [0, 0, 0, 1, 0, 0, 0, 1])
    #expect(mixed.filter { $0.sources == [0] } == some)
    #expect(mixed.filter { $0.sources == [1] }.map(\.tokens) == others.map(\.tokens))
    #expect(try batches(mixture, 1000) == batches(mixture, nil))
    configuration.sequenceCount = 8
    var iterator = try BatchIterator(mixture, configuration)
    for _ in 0..<3 { _ = try iterator.next() }
    let rest = try BatchIterator(mixture, configuration, at: iterator.position)
    #expect(try all(rest) == Array(mixed.dropFirst(3)))
  }

  @Test func refusesWhatCannotBe() throws {
    let folder = try DataFolder()
    let data = try Sample.dataset(folder, "a", texts)
    let other = try Sample.dataset(folder, "b", texts, tokenizer: Sample.tokenizer(size: 331))
    func kind(_ sources: [DataSource], _ length: Int = 32, batch: Int = 1, epochs: Int? = nil, padding: Int = 0) -> DataError
      .Kind?
    {
      let configuration = BatchConfiguration(
        sequenceLength: length, sequencesPerBatch: batch, epochs: epochs, paddingToken: padding)
      do {
        _ = try BatchIterator(sources, configuration)
        return nil
      } catch {
        return error.kind
      }
    }
    #expect(kind([DataSource(data)]) == nil && kind([DataSource(data)], data.tokenCount - 1) == nil)
    #expect(kind([DataSource(data)], data.tokenCount) == .empty)
    #expect(kind([DataSource(data), DataSource(other)]) == .vocabulary)
    for weight in [0, -1, .nan, .infinity] { #expect(kind([DataSource(data, weight: weight)]) == .setting) }
    #expect(kind([]) == .setting && kind([DataSource(data)], 0) == .setting && kind([DataSource(data)], batch: 0) == .setting)
    #expect(kind([DataSource(data)], epochs: 0) == .setting && kind([DataSource(data)], padding: 330) == .setting)
    for (shuffles, count) in [(true, 4), (false, 0)] {
      let configuration = BatchConfiguration(
        sequenceLength: 32, sequencesPerBatch: 1, shuffles: shuffles, sequenceCount: count)
      #expect(throws: DataError.self) { try BatchIterator([DataSource(data)], configuration) }
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097]) func permutations(_ count: Int) {
    let order = IndexPermutation(count: count, seed: 5, epoch: 0, stream: 0)
    let numbers = (0..<count).map { order[$0] }
    #expect(numbers.sorted() == Array(0..<count))
    if count > 16 {
      let next = IndexPermutation(count: count, seed: 5, epoch: 1, stream: 0)
      #expect(numbers != (0..<count).map { next[$0] } && numbers != Array(0..<count))
      // No drift: neighbours are as far from one another as random numbers are, a third of the count.
      let distance = zip(numbers, numbers.dropFirst()).reduce(0) { $0 + abs($1.0 - $1.1) }
      #expect((0.2...0.45).contains(Double(distance) / Double(count * count)))
    }
  }
}

@Suite struct TrainingBatchTests {
  @Test func nothingIsPredictedAcrossTheEndOfAWholeDocument() {
    // Two documents of three tokens in a sequence that is not masked; the first has no target behind it.
    let batch = TokenBatch(
      tokens: [1, 2, 3, 4, 5, 6], targets: [2, 3, -1, 5, 6, -1], documents: [0..<3, 3..<6], sequences: [0..<6], sources: [0])
    #expect(TrainingBatch(batch, masksDocuments: false).secondTargets == [3, -1, -1, 6, -1, -1])
    #expect(TrainingBatch(batch, masksDocuments: true).secondTargets == [3, -1, -1, 6, -1, -1])
    // In a stream the first document's end predicts what comes.
    var stream = batch
    stream.targets = [2, 3, 4, 5, 6, 7]
    #expect(TrainingBatch(stream, masksDocuments: false).secondTargets == [3, 4, 5, 6, 7, -1])
  }

  @Test func paddingIsInNoSequence() {
    let batch = TokenBatch(
      tokens: [1, 2, 0, 0, 5, 6, 7, 8], targets: [2, -1, -1, -1, 6, 7, 8, -1], documents: [0..<2, 2..<4, 4..<8],
      sequences: [0..<4, 4..<8], sources: [0, 0], padding: [2..<4])
    #expect(TrainingBatch(batch, masksDocuments: true).sequences == [0..<2, 4..<8])
  }
}

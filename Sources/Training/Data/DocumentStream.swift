internal import SwiftletTensors

/// Documents of files, worked on by all threads and handed back in the order of the files.
struct DocumentStream: ~Copyable {
  private var reader: DocumentReader
  private let options: DocumentOptions
  private let pool: WorkerPool
  /// How many documents were left out, by what was wrong with them.
  private(set) var skipped: [DataError.Kind: Int]
  /// How many bytes of documents were read.
  private(set) var byteCount = 0

  private let bytesPerThread: Int

  /// Enough for the threads to be busy, and little enough to be in memory.
  static let bytesPerThread = 4 << 20

  /// - Parameter bytesPerThread: how much is read before the threads begin, for each of them.
  init(
    files: [String], options: DocumentOptions, threadCount: Int, from position: DocumentPosition = DocumentPosition(),
    skipped: [DataError.Kind: Int] = [:], bytesPerThread: Int = DocumentStream.bytesPerThread
  ) throws(DataError) {
    reader = try DocumentReader(files: files, options: options, from: position)
    self.options = options
    self.skipped = skipped
    self.bytesPerThread = bytesPerThread
    pool = WorkerPool(threadCount: threadCount)
  }

  /// Works on the next documents.
  /// - Parameters:
  ///   - work: gets a document and the index of the thread that it runs on.
  ///   - take: gets the results in order, with the positions behind the documents. The counts are those up to there.
  /// - Returns: false when there were no more documents.
  /// - Throws: the first error in the order of the files, unless broken documents are left out.
  mutating func next<Result: Sendable>(
    _ work: (Document, RawDocument, _ thread: Int) throws(DataError) -> Result,
    _ take: (Result, DocumentPosition, [DataError.Kind: Int]) throws(DataError) -> Void
  ) throws(DataError) -> Bool {
    var raws: [RawDocument] = []
    var bytes = 0
    while bytes < bytesPerThread * pool.threadCount, let raw = try reader.next() {
      raws.append(raw)
      bytes += raw.range.count
    }
    guard !raws.isEmpty else { return false }
    byteCount += bytes
    let options = options
    var results = [Swift.Result<Result, DataError>?](repeating: nil, count: raws.count)
    results.withUnsafeMutableBufferPointer { results in
      // Each piece writes a place of its own.
      nonisolated(unsafe) let results = results
      pool.run(raws.count) { piece, thread in
        do throws(DataError) {
          results[piece] = .success(try work(Document(raws[piece], options), raws[piece], thread))
        } catch {
          results[piece] = .failure(error)
        }
      }
    }
    for (raw, result) in zip(raws, results) {
      switch result {
      case .success(let value)?: try take(value, raw.next, skipped)
      case .failure(let error)?:
        guard options.skipsBroken, error.concernsOneDocument else { throw error }
        skipped[error.kind, default: 0] += 1
      case nil: break
      }
    }
    return true
  }
}

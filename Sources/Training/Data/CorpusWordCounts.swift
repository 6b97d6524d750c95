public import SwiftletTokenization

extension WordCounts {
  /// Counts the pieces of files, on several threads: what the training of a tokenizer begins with.
  /// - Parameters:
  ///   - files: paths of text and JSON lines. Of conversations the contents of the messages count.
  ///   - byLine: counts text files line by line, as `tokenizers` reads files; else pieces may reach over the ends of lines.
  ///   - progress: called now and then with the bytes read so far. What it throws ends the work.
  /// - Returns: the counts, and how many broken documents were left out, by what was wrong with them.
  /// - Throws: `DataError`, with file and line, for files without text; what `progress` throws.
  public static func counting(
    files: [String], options: DocumentOptions = DocumentOptions(), preTokenizer: TrainablePreTokenizer, byLine: Bool = true,
    threadCount: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> (words: WordCounts, skipped: [DataError.Kind: Int]) {
    let threadCount = max(1, threadCount)
    var stream = try DocumentStream(files: files, options: options, threadCount: threadCount)
    var counters = [WordCounts](repeating: WordCounts(preTokenizer), count: threadCount)
    var hasMore = true
    while hasMore {
      hasMore = try counters.withUnsafeMutableBufferPointer { counters throws(DataError) in
        // Each thread has a counter of its own.
        nonisolated(unsafe) let counters = counters
        return try stream.next { document, raw, thread throws(DataError) in
          switch document {
          case .text(let text): counters[thread].add(text, byLine: byLine && !raw.isJSON)
          case .completion(let prompt, let completion):
            counters[thread].add(prompt)
            counters[thread].add(completion)
          case .chat(let messages, _):
            for message in messages.elements ?? [] {
              if let content = message["content"]?.string { counters[thread].add(content) }
            }
          }
        } _: { _, _, _ in
        }
      }
      try progress(stream.byteCount)
    }
    var words = counters[0]
    for other in counters.dropFirst() { words.add(other) }
    guard words.distinctCount > 0 else {
      throw DataError(.empty, file: files.joined(separator: ", "), reason: "there is no text to learn from")
    }
    return (words, stream.skipped)
  }
}

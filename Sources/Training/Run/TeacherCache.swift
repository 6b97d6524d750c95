internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletTensors

/// What a teacher says of all documents of a run's training data, in a folder: `teacher.json` names what it was made of, and each part is
/// a file of some documents, written when it is whole. Whoever was stopped goes on with the parts that are missing.
final class TeacherCache {
  static let manifestName = "teacher.json"
  /// Rows of a part, at least; the last has fewer.
  private static let rowsOfPart = 4096

  let folder: String
  private let sources: [DataSource]
  private let sequenceLength: Int
  /// Tokens that the teacher computes at a time, unless a document has more: those of a pass of training, for which there is memory.
  private let passTokens: Int
  private let k: Int
  private let vocabulary: Int
  private let key: UInt64
  /// Documents of all sources one after the other: how many are in the sources before.
  private let sourceStarts: [Int]
  /// Rows of the documents before.
  private let rowStarts: [Int]
  private let parts: [Range<Int>]
  private var files: [TeacherFile?]
  /// While parts are missing.
  private var lock: FolderLock?

  /// Opens what is there.
  /// - Throws: `CheckpointError` where the folder has what another teacher says, or says of other data, or a part is damaged.
  init(_ run: PreparedRun, _ teacher: Teacher, folder: String, precision: ProductPrecision) throws {
    self.folder = folder
    sources = run.data.sources
    sequenceLength = run.recipe.sequenceLength
    passTokens = run.recipe.microBatch * run.recipe.sequenceLength
    vocabulary = teacher.vocabulary(beside: run.configuration)
    k = min(teacher.settings.topK, vocabulary)
    let data = sources.map { String($0.dataset.checksum, radix: 16) }.joined(separator: " ")
    let made: [(key: String, value: JSONValue)] = [
      ("version", 1), ("teacher", .string(teacher.fingerprint)), ("data", .string(data)),
      ("sequence_length", .integer(sequenceLength)), ("top_k", .integer(k)), ("vocabulary", .integer(vocabulary)),
      ("temperature", .number(Double(teacher.settings.options.temperature))), ("precision", .string(precision.rawValue)),
    ]
    let manifest = JSONValue.object(made.map { JSONMember(key: $0.key, value: $0.value) })
    key = Checksum64.of(Array(manifest.serialized().utf8))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    lock = try FolderLock(folder)
    UnfinishedFiles.remove(in: folder) { $0 == TeacherCache.manifestName || $0.hasSuffix(".teacher") }
    let path = folder + "/" + Self.manifestName
    if let bytes = FileManager.default.contents(atPath: path) {
      let found = try? JSONValue(parsing: Array(bytes))
      for (key, value) in made where found?[key]?.serialized() != value.serialized() {
        throw CheckpointError(
          file: path, field: key,
          reason:
            "found \(found?[key]?.serialized() ?? "nothing"), expected \(value.serialized()): it was made of another teacher, data or "
            + "settings; name another folder for distill.cache, or remove this one")
      }
    } else {
      let writer = try FileWriter(path: path)
      try writer.write(Array((manifest.serialized() + "\n").utf8))
      try writer.commit()
    }
    var sourceStarts = [0], rowStarts = [0], parts: [Range<Int>] = [], first = 0
    for source in sources {
      let dataset = source.dataset
      for document in 0..<dataset.documentCount {
        rowStarts.append(rowStarts[rowStarts.count - 1] + Self.targets(of: document, dataset, sequenceLength).count { $0 >= 0 })
        let end = rowStarts.count - 1
        if rowStarts[end] - rowStarts[first] >= Self.rowsOfPart {
          parts.append(first..<end)
          first = end
        }
      }
      sourceStarts.append(sourceStarts[sourceStarts.count - 1] + dataset.documentCount)
    }
    if first < rowStarts.count - 1 { parts.append(first..<rowStarts.count - 1) }
    (self.sourceStarts, self.rowStarts, self.parts) = (sourceStarts, rowStarts, parts)
    files = parts.map { _ in nil }
    for part in parts.indices where FileManager.default.fileExists(atPath: self.path(part)) { files[part] = try open(part) }
    if missing.isEmpty { lock = nil }
  }

  private func path(_ part: Int) -> String { "\(folder)/part-\(String(1_000_000 + part).dropFirst()).teacher" }

  private func open(_ part: Int) throws(CheckpointError) -> TeacherFile {
    let documents = parts[part]
    return try TeacherFile(
      path: path(part), key: key, documents: documents, rows: rowStarts[documents.upperBound] - rowStarts[documents.lowerBound],
      k: k,
      vocabulary: vocabulary)
  }

  var missing: [Int] { parts.indices.filter { files[$0] == nil } }
  /// Of all parts.
  var rowCount: Int { rowStarts[rowStarts.count - 1] }
  var partCount: Int { parts.count }

  /// What is learned of a document: by token the next one, or -1.
  private static func targets(of document: Int, _ dataset: TokenDataset, _ length: Int) -> [Int] {
    let range = dataset.document(document).prefix(length)
    var targets: [Int] = []
    dataset.forEachDocument(in: range) { shard, part in
      targets = part.dropFirst().map { shard.isTarget($0) ? shard.token($0) : -1 } + [-1]
    }
    return targets
  }

  /// Asks the teacher for the parts that are missing.
  /// - Returns: whether all are there; false when it was cancelled.
  func fill(_ ask: (TrainingBatch) throws -> TeacherRows, isCancelled: () -> Bool, note: (String) -> Void) throws -> Bool {
    let missing = missing
    if missing.isEmpty { return true }
    note("asking the teacher for \(missing.count) of \(parts.count) parts, \(rowCount) positions in all")
    var lastNote = ContinuousClock.now
    for (count, part) in missing.enumerated() {
      if lastNote.duration(to: .now) > .seconds(5) {
        note("\(count) of \(missing.count) parts")
        lastNote = .now
      }
      var rows = TeacherRows(k: k)
      // Parts are of so many positions that are learned; those that are only read may be many more.
      for documents in passes(parts[part]) {
        if isCancelled() { return false }
        let batch = batch(documents)
        guard batch.targetCount > 0 else { continue }
        let answers = try ask(batch)
        rows.tokens += answers.tokens
        rows.logProbabilities += answers.logProbabilities
        rows.tails += answers.tails
      }
      try TeacherFile.write(rows, documents: parts[part], key: key, to: path(part))
      files[part] = try open(part)
    }
    lock = nil
    return true
  }

  /// Where a document lies.
  private func locate(_ document: Int) -> (dataset: TokenDataset, place: Int) {
    let source = (sourceStarts.firstIndex { $0 > document } ?? 1) - 1
    return (sources[source].dataset, document - sourceStarts[source])
  }

  /// Documents in runs of at most `passTokens`.
  private func passes(_ documents: Range<Int>) -> [Range<Int>] {
    var result: [Range<Int>] = [], first = documents.lowerBound, tokens = 0
    for document in documents {
      let (dataset, place) = locate(document), count = min(sequenceLength, dataset.document(place).count)
      if document > first, tokens + count > passTokens {
        result.append(first..<document)
        (first, tokens) = (document, 0)
      }
      tokens += count
    }
    return result + [first..<documents.upperBound]
  }

  /// Whole documents, one after the other.
  private func batch(_ documents: Range<Int>) -> TrainingBatch {
    var batch = TrainingBatch(tokens: [], targets: [], documents: [])
    for document in documents {
      let (dataset, place) = locate(document), start = batch.tokens.count
      dataset.forEachDocument(in: dataset.document(place).prefix(sequenceLength)) { shard, part in
        for index in part { batch.tokens.append(shard.token(index)) }
      }
      batch.targets += Self.targets(of: place, dataset, sequenceLength)
      batch.documents.append(start..<batch.tokens.count)
    }
    batch.sequences = batch.documents
    return batch
  }

  /// What the teacher says of the rows with a target.
  /// - Precondition: nothing is missing.
  func rows(of batch: TokenBatch) throws(CheckpointError) -> TeacherRows {
    var result = TeacherRows(k: k)
    for origin in batch.origins {
      let document = sourceStarts[origin.source] + origin.document
      let part = (parts.firstIndex { $0.contains(document) }) ?? 0
      guard let file = files[part] else { preconditionFailure("part \(part) is missing") }
      let before = rowStarts[parts[part].lowerBound]
      try file.append(rowStarts[document] - before..<rowStarts[document + 1] - before, to: &result)
    }
    return result
  }
}

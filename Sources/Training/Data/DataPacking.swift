internal import Foundation
internal import SwiftletCheckpoints
public import SwiftletTokenization

/// Makes a folder of token files from texts and conversations.
///
/// Every document becomes tokens, ends with the end of the sequence, and goes to the part for training or to the one that is held
/// out. Which, depends on a checksum of its content alone: not on its place, on other documents, or on the seed. A run
/// that was stopped goes on where the last whole file ended, and the result is the same bytes, with any number of threads.
public struct DataPacking: Sendable {
  public struct Progress: Sendable {
    public var completedBytes: Int
    public var totalBytes: Int
    public var tokens: Int
  }

  public struct Summary: Sendable, Equatable {
    public var tokens: [DataSplit: Int]
    public var documents: [DataSplit: Int]
    /// Broken documents that were left out, by what was wrong with them.
    public var skipped: [DataError.Kind: Int]
  }

  public var files: [String]
  public var documents: DocumentOptions
  public var tokenizer: Tokenizer
  /// Stands behind every text; nil for the tokenizer's own.
  public var endOfSequence: Int32?
  /// The share of documents that are set aside for measuring, 0 to 1.
  public var heldOutFraction: Double
  public var fillInMiddle: FillInMiddleTransform?
  /// nil refuses conversations.
  public var conversations: ConversationFormat?
  /// Documents of more tokens are broken; nil for no limit.
  public var maximumTokens: Int?
  /// A file is ended when it has as many tokens. They are in memory until then.
  public var shardTokens: Int
  public var threadCount: Int
  /// How much is read at a time, in bytes for each thread.
  var bytesPerThread = DocumentStream.bytesPerThread

  public init(
    files: [String], documents: DocumentOptions = DocumentOptions(), tokenizer: Tokenizer, endOfSequence: Int32? = nil,
    heldOutFraction: Double = 0.01,
    fillInMiddle: FillInMiddleTransform? = nil, conversations: ConversationFormat? = nil, maximumTokens: Int? = nil,
    shardTokens: Int = 1 << 24,
    threadCount: Int
  ) {
    self.files = files
    self.documents = documents
    self.tokenizer = tokenizer
    self.endOfSequence = endOfSequence
    self.heldOutFraction = heldOutFraction
    self.fillInMiddle = fillInMiddle
    self.conversations = conversations
    self.maximumTokens = maximumTokens
    self.shardTokens = shardTokens
    self.threadCount = threadCount
  }

  /// Makes the folder, or what is missing of it.
  /// - Parameters:
  ///   - isReplacing: removes a dataset that is there and was made from other files or with other settings; else that is an error.
  ///   - progress: called now and then. What it throws ends the work, which can be taken up again.
  /// - Throws: `DataError` for files without documents, broken documents (unless they are left out), settings that cannot be, and a disk
  ///   that is full; `TrainingError` while another process is at work in the folder; what `progress` throws.
  public func run(
    to folder: String, isReplacing: Bool = false, progress: (Progress) throws -> Void = { _ in }
  ) throws -> Summary {
    guard shardTokens > 0 else {
      throw DataError(.setting, file: "shardTokens", reason: "found \(shardTokens), expected at least 1")
    }
    try documents.check()
    let encoder = try DocumentEncoder(
      tokenizer, endOfSequence: endOfSequence, fillInMiddle: fillInMiddle, conversations: conversations,
      heldOutFraction: heldOutFraction, maximumTokens: maximumTokens)
    let vocabulary = VocabularyIdentity(tokenizer)
    let (settings, sizes) = try self.settings(vocabulary, Self.place)
    let start = Progress(completedBytes: 0, totalBytes: sizes.reduce(0, +), tokens: 0)
    let path = { (name: String) in URL(fileURLWithPath: folder).appendingPathComponent(name).path }
    var manifest = DatasetManifest(vocabulary: vocabulary, settings: settings)
    let lock = try Self.hold(folder)
    defer { withExtendedLifetime(lock) {} }
    let begun = try Self.found(in: folder, isReplacing) { found in
      if found.settings == settings { return true }
      // The files may have been moved or copied.
      guard let content = found.content else { return false }
      return try self.contentSettings(vocabulary) { try progress(start) } == content
    }
    if var begun {
      if begun.settings != settings {
        // Next time they are where they lie now, and need not be read again.
        begun.settings = settings
        try? begun.write(to: path(begun.next == nil ? DatasetManifest.name : DatasetManifest.partialName))
      }
      manifest = begun
      if begun.next == nil { return Self.summary(begun) }
    } else {
      manifest.content = try contentSettings(vocabulary) { try progress(start) }
    }

    var stream = try DocumentStream(
      files: files, options: documents, threadCount: max(1, threadCount), from: manifest.next ?? DocumentPosition(),
      skipped: manifest.skipped, bytesPerThread: bytesPerThread)
    var builders = DataSplit.allCases.map { _ in TokenShardBuilder(vocabulary) }
    var position = manifest.next ?? DocumentPosition()
    func flush(_ skipped: [DataError.Kind: Int]) throws(DataError) {
      for (index, split) in DataSplit.allCases.enumerated() where builders[index].documentCount > 0 {
        // Numbers count the steps, so a part that got no documents in one of them has none of it.
        let name = "\(split.rawValue)-\(String(1_000_000 + manifest.step).dropFirst()).tokens"
        try asDataError { () throws(CheckpointError) in try builders[index].write(to: path(name)) }
        let shard = try TokenShard(path: path(name), verifies: false)
        manifest.shards[split, default: []].append(
          DatasetManifest.Shard(file: name, tokens: shard.tokenCount, documents: shard.documentCount, checksum: shard.checksum))
        builders[index] = TokenShardBuilder(vocabulary)
      }
      manifest.step += 1
      manifest.next = position
      manifest.skipped = skipped
      try asDataError { () throws(CheckpointError) in try manifest.write(to: path(DatasetManifest.partialName)) }
    }
    var hasMore = true
    while hasMore {
      hasMore = try stream.next { document, raw, _ throws(DataError) in
        try encoder.encode(document, raw)
      } _: { document, next, skipped throws(DataError) in
        builders[document.isHeldOut ? 1 : 0].append(document)
        position = next
        if builders.contains(where: { $0.tokenCount >= shardTokens }) { try flush(skipped) }
      }
      let tokens = builders.reduce(0) { $0 + $1.tokenCount } + DataSplit.allCases.reduce(0) { $0 + manifest.count($1, \.tokens) }
      let completed = sizes[..<min(position.file, sizes.count)].reduce(0, +) + position.offset
      try progress(
        Progress(completedBytes: hasMore ? completed : sizes.reduce(0, +), totalBytes: sizes.reduce(0, +), tokens: tokens))
    }
    // Broken documents behind the last good one are counted already.
    position = DocumentPosition(file: files.count)
    if builders.contains(where: { $0.documentCount > 0 }) { try flush(stream.skipped) }
    manifest.skipped = stream.skipped
    manifest.next = nil
    guard manifest.shards.values.contains(where: { !$0.isEmpty }) else {
      throw DataError(.empty, file: files.joined(separator: ", "), reason: "there are no documents to learn from")
    }
    try asDataError { () throws(CheckpointError) in try manifest.write(to: path(DatasetManifest.name)) }
    try? FileManager.default.removeItem(atPath: path(DatasetManifest.partialName))
    return Self.summary(manifest)
  }

  /// All that decides which tokens there are, and the files' sizes in bytes.
  /// - Parameter description: of a file, what tells it from others.
  private func settings(
    _ vocabulary: VocabularyIdentity, _ description: (MappedFile) throws -> String
  ) throws -> (text: String, sizes: [Int]) {
    var parts = [
      "vocabulary \(vocabulary.size) \(vocabulary.hash) \(tokenizer.addsBeginningOfSequence) \(endOfSequence ?? -1)",
      "documents \(documents.identity)",
      "held out \(heldOutFraction)", "fill in middle \(fillInMiddle?.identity ?? "none")",
      "conversations \(conversations?.name ?? "none")", "tokens a file \(shardTokens)",
    ]
    if let maximumTokens { parts.append("tokens a document \(maximumTokens)") }
    var sizes: [Int] = []
    for path in files {
      let file = try asDataError { () throws(CheckpointError) in try MappedFile(path: path) }
      parts.append(try description(file))
      sizes.append(file.byteCount)
      if sizes.count <= Self.tokenizedFiles { parts.append(tokenizedBeginning(of: file)) }
    }
    let text = parts.joined(separator: "\n")
    return (String(Checksum64.of(Array(text.utf8)), radix: 16), sizes)
  }

  /// Where a file lies and when it was changed, beside parts of its content: takes no reading of all of it.
  private static func place(of file: MappedFile) -> String { "\(file.path) \(file.fingerprint)" }

  /// The settings with files by their names and a checksum of every byte, wherever they lie.
  /// - Parameter progress: called before every part of a file that is read.
  private func contentSettings(_ vocabulary: VocabularyIdentity, _ progress: () throws -> Void) throws -> String {
    try settings(vocabulary) { file in
      var checksum: UInt64 = 0
      for offset in stride(from: 0, to: file.byteCount, by: Self.checkedBytes) {
        try progress()
        let part = UnsafeRawBufferPointer(
          start: file.storage.address + offset, count: min(Self.checkedBytes, file.byteCount - offset))
        checksum = Checksum64.of(part, seed: checksum)
      }
      // Of a file that was cut meanwhile, zeros were read.
      try asDataError { () throws(CheckpointError) in try file.check() }
      return "\(URL(fileURLWithPath: file.path).lastPathComponent) \(file.byteCount) \(checksum)"
    }.text
  }

  /// How much of a file is read between two looks whether to go on.
  private static let checkedBytes = 1 << 28

  /// Files of which beginnings are tokenised to tell tokenizers apart, and how many bytes of each.
  private static let tokenizedFiles = 8, tokenizedBytes = 1 << 16

  /// What the tokenizer's rules make of a file's first bytes: tokenizers of one vocabulary may split texts in other ways.
  private func tokenizedBeginning(of file: MappedFile) -> String {
    let bytes = UnsafeRawBufferPointer(start: file.storage.address, count: min(file.byteCount, Self.tokenizedBytes))
    let ids = tokenizer.encode(String(decoding: bytes, as: UTF8.self))
    return "beginning \(ids.withUnsafeBytes { Checksum64.of($0) })"
  }

  /// Makes the folder where it is not there, and keeps others out of it.
  private static func hold(_ folder: String) throws -> FolderLock {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DataError(.file, file: folder, reason: "the folder cannot be made: \(error.localizedDescription)")
    }
    return try FolderLock(folder)
  }

  /// The manifest of a dataset that is there already, whole or begun; nil where there is none.
  /// - Parameter isSame: whether one was made of the same files with the same settings.
  private static func found(
    in folder: String, _ isReplacing: Bool, isSame: (DatasetManifest) throws -> Bool
  ) throws -> DatasetManifest? {
    let manager = FileManager.default, url = URL(fileURLWithPath: folder)
    UnfinishedFiles.remove(in: folder) { name in
      name.hasPrefix("dataset.") || DataSplit.allCases.contains { name.hasPrefix($0.rawValue + "-") }
    }
    for name in [DatasetManifest.name, DatasetManifest.partialName] {
      let path = url.appendingPathComponent(name).path
      guard manager.fileExists(atPath: path) else { continue }
      if isReplacing {
        // A broken one is replaced too.
        if let found = try? DatasetManifest(path: path), try isSame(found), (try? found.checkShards(in: url)) != nil {
          return found
        }
        for file in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
          let isShard = DataSplit.allCases.contains { file.hasPrefix($0.rawValue + "-") } && file.hasSuffix(".tokens")
          if isShard || file == DatasetManifest.name || file == DatasetManifest.partialName {
            try? manager.removeItem(at: url.appendingPathComponent(file))
          }
        }
        return nil
      }
      let found = try DatasetManifest(path: path)
      guard try isSame(found) else {
        throw DataError(
          .setting, file: folder,
          reason:
            "holds a dataset of other files or settings (or files that changed since); choose another folder, or replace it"
        )
      }
      try found.checkShards(in: url)
      return found
    }
    return nil
  }

  private static func summary(_ manifest: DatasetManifest) -> Summary {
    func counts(_ value: (DatasetManifest.Shard) -> Int) -> [DataSplit: Int] {
      Dictionary(uniqueKeysWithValues: DataSplit.allCases.map { ($0, manifest.count($0, value)) })
    }
    return Summary(tokens: counts(\.tokens), documents: counts(\.documents), skipped: manifest.skipped)
  }
}

import Foundation
import SwiftletJSON
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// Token files: that they hold what the tokenizer says, that stopping and threads change nothing, that damage is found.
@Suite struct DataPackingTests {
  private let texts = (0..<60).map { Sample.text(UInt64($0), words: 5 + $0 % 50) }

  @Test(arguments: [330, 70_000]) func holdsTheTokens(_ vocabularySize: Int) throws {
    let folder = try DataFolder()
    // Placeholders make the vocabulary too large for 16 bits.
    let special = BytePairTraining.deepSeekTokens + (0..<max(0, vocabularySize - 330)).map { "<｜place▁\($0)｜>" }
    let tokenizer = try Sample.tokenizer(size: vocabularySize, special: special)
    let dataset = try Sample.dataset(folder, "a", texts, shardTokens: 500, tokenizer: tokenizer)
    let expected = texts.map { text -> [Int] in [0] + tokenizer.encode(text, addedTokens: .text).map { Int($0) } + [1] }
    #expect(dataset.tokens == expected.flatMap { $0 })
    #expect(dataset.documentCount == texts.count && dataset.shards.count > 3)
    for (index, document) in expected.enumerated() { #expect(dataset.document(index).count == document.count) }
    #expect(dataset.vocabulary == VocabularyIdentity(tokenizer))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: dataset.shards[0].path)).count
    let shard = dataset.shards[0]
    #expect(bytes == 72 + 8 * shard.documentCount + (vocabularySize > 1 << 16 ? 4 : 2) * shard.tokenCount)
  }

  @Test func anotherEnd() throws {
    let folder = try DataFolder(), file = try folder.write("a.txt", "the river")
    let tokenizer = try Sample.tokenizer(special: ["<s>", "</s>"], begins: false)
    var packing = DataPacking(files: [file], tokenizer: tokenizer, heldOutFraction: 0, threadCount: 1)
    #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    packing.endOfSequence = 330
    #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    packing.endOfSequence = 1
    _ = try packing.run(to: folder.file("out"))
    #expect(try TokenDataset(folder: folder.file("out")).tokens == tokenizer.encode("the river").map { Int($0) } + [1])
  }

  @Test func specialTokensInTextsAreText() throws {
    let folder = try DataFolder()
    let dataset = try Sample.dataset(folder, "a", ["a <｜end▁of▁sentence｜> b"])
    #expect(dataset.tokens.filter { $0 < 8 } == [0, 1])
  }

  @Test func stoppedRunsGoOn() throws {
    let folder = try DataFolder()
    struct Stop: Error {}
    let first = try folder.write("a.jsonl", Sample.jsonLines(texts) + "{\n")
    let second = try folder.write("b.txt", texts.joined(separator: "\n\n"))
    var packing = DataPacking(
      files: [first, second], documents: DocumentOptions(passageBytes: 300, skipsBroken: true), tokenizer: try Sample.tokenizer(),
      heldOutFraction: 0.2,
      fillInMiddle: FillInMiddleTransform(tokens: FillInMiddleTokens(prefix: 3, suffix: 4, middle: 5), rate: 0.5),
      shardTokens: 400, threadCount: 1)
    let summary = try packing.run(to: folder.file("whole")), whole = try folder.contents("whole")
    #expect(whole.count > 6 && summary.skipped == [.json: 1])
    packing.threadCount = 3
    #expect(try packing.run(to: folder.file("threads")) == summary)
    #expect(try folder.contents("threads") == whole)
    packing.threadCount = 1
    packing.bytesPerThread = 1
    var steps = Set<Int>()
    for count in [1, 2, 5, 20, 50, 80] {
      let name = "stopped-\(count)"
      var calls = 0
      #expect(throws: Stop.self) {
        try packing.run(to: folder.file(name)) { _ in
          calls += 1
          if calls == count { throw Stop() }
        }
      }
      #expect(throws: DataError.self) { try TokenDataset(folder: folder.file(name)) }
      let partial = folder.file(name) + "/" + DatasetManifest.partialName
      let step = FileManager.default.fileExists(atPath: partial) ? try DatasetManifest(path: partial).step : 0
      steps.insert(step)
      // As after a kill: a file that the manifest does not name yet, and one that was being written.
      _ = try folder.write("\(name)/.training-000000.tokens.1abc.partial", "half a file")
      _ = try folder.write("\(name)/training-\(String(1_000_000 + step).dropFirst()).tokens", "half a file")
      let summaries = try [packing.run(to: folder.file(name)), packing.run(to: folder.file(name))]
      #expect(summaries == [summary, summary])
      #expect(try folder.contents(name) == whole)
    }
    #expect(steps.count >= 3)
  }

  @Test func oneAtATimeWorksInAFolder() throws {
    let folder = try DataFolder(), out = folder.file("out")
    let file = try folder.write("a.jsonl", Sample.jsonLines(texts))
    let packing = DataPacking(files: [file], tokenizer: try Sample.tokenizer(), threadCount: 2)
    var count = 0
    let summary = try packing.run(to: out) { _ in
      #expect(throws: TrainingError.self) { try packing.run(to: out, isReplacing: true) }
      count += 1
    }
    #expect(count > 0)
    #expect(try packing.run(to: out) == summary)
  }

  @Test func finishedRunsStay() throws {
    let folder = try DataFolder()
    let file = try folder.write("a.jsonl", Sample.jsonLines(texts))
    var packing = DataPacking(files: [file], tokenizer: try Sample.tokenizer(), threadCount: 2)
    let summary = try packing.run(to: folder.file("out"))
    let contents = try folder.contents("out")
    #expect(try packing.run(to: folder.file("out")) == summary)
    // Files that are gone are not taken for whole, and can be made again.
    let name = try #require(contents.keys.first { $0.hasSuffix(".tokens") })
    try FileManager.default.removeItem(atPath: folder.file("out/" + name))
    let missing = #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    #expect(missing?.file.hasSuffix(name) == true)
    #expect(try packing.run(to: folder.file("out"), isReplacing: true) == summary)
    #expect(try folder.contents("out") == contents)
    packing.heldOutFraction = 0.5
    let error = #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    #expect(error?.kind == .setting)
    #expect(try folder.contents("out") == contents)
    #expect(try packing.run(to: folder.file("out"), isReplacing: true) != summary)
    #expect(try TokenDataset(folder: folder.file("out"), split: .heldOut).documentCount > 10)
    // A file that changed is another file.
    _ = try folder.write("a.jsonl", Sample.jsonLines(texts + ["more"]))
    #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
  }

  /// Files are what is in them, wherever they lie.
  @Test func movedFilesAreTheSame() throws {
    let folder = try DataFolder(), manager = FileManager.default
    // Large enough that only parts of the file are looked at while nobody moves it. White space makes no documents.
    let blank = String(repeating: String(repeating: " ", count: 999) + "\n", count: 3600)
    let content = Sample.jsonLines(texts) + blank
    let file = try folder.write("a.jsonl", content)
    var packing = DataPacking(files: [file], tokenizer: try Sample.tokenizer(), threadCount: 2)
    let summary = try packing.run(to: folder.file("out")), contents = try folder.contents("out")
    try manager.createDirectory(atPath: folder.file("moved"), withIntermediateDirectories: true)
    packing.files = [try folder.write("moved/a.jsonl", content)]
    // Read once, and not to the end when the work is to end.
    struct Stop: Error {}
    #expect(throws: Stop.self) { try packing.run(to: folder.file("out")) { _ in throw Stop() } }
    var calls: [Int] = []
    for _ in 0..<2 {
      var count = 0
      let found = try packing.run(to: folder.file("out")) { _ in count += 1 }
      #expect(found == summary)
      calls.append(count)
    }
    #expect(calls == [1, 0])
    let moved = try folder.contents("out")
    #expect(moved.count == contents.count && moved.allSatisfy { $0.key == DatasetManifest.name || $0.value == contents[$0.key] })
    // One byte that no sample of the file has.
    var bytes = Array(content.utf8)
    let place = bytes.count / 17 * 8 + (1 << 16) + 1000
    bytes[place] ^= UInt8(ascii: " ") ^ UInt8(ascii: "\t")
    try manager.createDirectory(atPath: folder.file("changed"), withIntermediateDirectories: true)
    packing.files = [try folder.write("changed/a.jsonl", bytes)]
    let changed = #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    #expect(changed?.kind == .setting)
    packing.files = [try folder.write("moved/b.jsonl", content)]
    #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    packing.files = [file]
    #expect(try packing.run(to: folder.file("out")) == summary)
    #expect(try folder.contents("out") == contents)
    // Datasets of before go on where their files lie, and nowhere else.
    let manifest = folder.file("out/" + DatasetManifest.name)
    var older = try DatasetManifest(path: manifest)
    older.content = nil
    try older.write(to: manifest)
    packing.files = [try folder.write("moved/a.jsonl", content)]
    #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    packing.files = [file]
    #expect(try packing.run(to: folder.file("out")) == summary)
  }

  @Test func heldOutByContent() throws {
    let folder = try DataFolder(), tokenizer = try Sample.tokenizer()
    let texts = (0..<2000).map { "document \($0)" }
    func heldOut(_ name: String, _ texts: [String], _ fraction: Double) throws -> Set<String> {
      let data = try Sample.dataset(folder, name, texts, split: .heldOut, heldOut: fraction, tokenizer: tokenizer)
      return Set(
        (0..<data.documentCount).map { index in
          tokenizer.decode(data.tokens[data.document(index)].map { Int32($0) }, skippingSpecialTokens: true)
        })
    }
    let some = try heldOut("a", texts, 0.1)
    #expect((140...260).contains(some.count))
    #expect(try heldOut("b", texts.reversed(), 0.1) == some)
    #expect(try heldOut("c", Array(texts.prefix(1000)), 0.1) == some.intersection(texts.prefix(1000)))
    #expect(try heldOut("d", texts, 0.3).isSuperset(of: some))
    #expect(throws: DataError.self) { try heldOut("e", texts, 0) }
    #expect(try heldOut("f", texts, 1).count == 2000)
  }

  @Test func fillInMiddle() throws {
    let folder = try DataFolder(), tokenizer = try Sample.tokenizer()
    let texts = (0..<1000).map { Sample.text(UInt64($0), words: 12) }
    let file = try folder.write("a.jsonl", Sample.jsonLines(texts))
    let transform = FillInMiddleTransform(tokens: try #require(tokenizer.fillInMiddle))
    #expect(transform.rate == 0.1)
    let packing = DataPacking(files: [file], tokenizer: tokenizer, heldOutFraction: 0, fillInMiddle: transform, threadCount: 2)
    _ = try packing.run(to: folder.file("out"))
    let data = try TokenDataset(folder: folder.file("out")), tokens = data.tokens
    var changed = 0, cutsInsideTokens = 0
    for (index, text) in texts.enumerated() {
      let document = tokens[data.document(index)].map { Int32($0) }
      guard document.contains(3) else {
        #expect(document == [0] + tokenizer.encode(text) + [1])
        continue
      }
      changed += 1
      #expect(document.filter { $0 < 8 } == [0, 3, 4, 5, 1])
      let parts = document.dropFirst(2).dropLast().split(omittingEmptySubsequences: false) { [4, 5].contains($0) }
      let (prefix, suffix, middle) = (tokenizer.decode(parts[0]), tokenizer.decode(parts[1]), tokenizer.decode(parts[2]))
      #expect(prefix + middle + suffix == text)
      if parts[0] + parts[2] + parts[1] != tokenizer.encode(text)[...] { cutsInsideTokens += 1 }
    }
    #expect((70...130).contains(changed))
    #expect(cutsInsideTokens > changed / 4)
  }

  /// A model learns from the prompts that it is given later, with the beginning of sequence that other documents of this tokenizer lack.
  @Test func exercisesBeginAsPromptsDo() throws {
    let folder = try DataFolder(), tokenizer = try Sample.tokenizer(begins: false)
    let texts = (0..<100).map { Sample.text(UInt64($0), words: 12) }
    let file = try folder.write("a.jsonl", Sample.jsonLines(texts))
    let transform = FillInMiddleTransform(tokens: try #require(tokenizer.fillInMiddle), rate: 0.5)
    _ = try DataPacking(files: [file], tokenizer: tokenizer, heldOutFraction: 0, fillInMiddle: transform, threadCount: 1).run(
      to: folder.file("out"))
    let data = try TokenDataset(folder: folder.file("out")), tokens = data.tokens
    for (index, text) in texts.enumerated() {
      let document = tokens[data.document(index)].map { Int32($0) }
      guard document.contains(3) else {
        #expect(document == tokenizer.encode(text) + [1])
        continue
      }
      let parts = document.split(omittingEmptySubsequences: false) { [3, 4, 5].contains($0) }
      let prompt = try #require(tokenizer.encode(prefix: tokenizer.decode(parts[1]), suffix: tokenizer.decode(parts[2])))
      #expect(prompt.first == 0 && document.starts(with: prompt))
    }
  }

  @Test func damageIsFound() throws {
    let folder = try DataFolder()
    let dataset = try Sample.dataset(folder, "a", texts)
    let path = dataset.shards[0].path, good = try Data(contentsOf: URL(fileURLWithPath: path))
    func error(_ bytes: Data) throws -> DataError? {
      try bytes.write(to: URL(fileURLWithPath: path))
      do {
        _ = try TokenDataset(folder: folder.file("a"))
        return nil
      } catch {
        return error
      }
    }
    #expect(try error(good) == nil)
    for place in Array(0..<80) + Array(stride(from: 80, to: good.count, by: 97)) {
      var bytes = good
      bytes[place] ^= 1 << UInt8(place % 8)
      #expect(try error(bytes)?.kind == .damaged, "byte \(place)")
    }
    for count in [0, 1, 71, 72, good.count - 1] {
      let found = try error(good.prefix(count))
      #expect(found?.kind == (count == 0 ? .empty : .damaged) && found?.file == path)
    }
    #expect(try error(good + [0])?.kind == .damaged)
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: DataError.self) { try TokenDataset(folder: folder.file("a")) }
    _ = try folder.write("a/dataset.json", "{\"version\":1}")
    #expect(throws: DataError.self) { try TokenDataset(folder: folder.file("a")) }
    #expect(throws: DataError.self) { try TokenDataset(folder: folder.file("nothing")) }
  }

  @Test func otherVocabulariesAreRefused() throws {
    let folder = try DataFolder()
    _ = try Sample.dataset(folder, "a", texts)
    let other = VocabularyIdentity(try Sample.tokenizer(size: 331))
    let error = #expect(throws: DataError.self) { try TokenDataset(folder: folder.file("a"), vocabulary: other) }
    #expect(error?.kind == .vocabulary)
    let same = VocabularyIdentity(try Sample.tokenizer())
    #expect(try TokenDataset(folder: folder.file("a"), vocabulary: same).vocabulary == same)
  }

  @Test func answersAreTargets() throws {
    let folder = try DataFolder(), tokenizer = try Sample.tokenizer()
    let format = ConversationFormat(name: "test") { messages, _, opensAnswer in
      var text = "<｜begin▁of▁sentence｜>"
      for message in messages.elements ?? [] {
        let content = message["content"]?.string ?? ""
        text += message["role"]?.string == "user" ? "<｜User｜>\(content)" : "<｜Assistant｜>\(content)<｜end▁of▁sentence｜>"
      }
      return text + (opensAnswer ? "<｜Assistant｜>" : "")
    }
    let chat =
      #"{"messages":[{"role":"user","content":"the sea"},{"role":"assistant","content":"runs"},{"role":"user","content":"and"},{"role":"assistant","content":"never stops"}]}"#
    let noAnswer = #"{"messages":[{"role":"user","content":"the sea"}]}"#
    let file = try folder.write("a.jsonl", "{\"text\":\"the river\"}\n" + chat + "\n" + noAnswer + "\n")
    let packing = DataPacking(
      files: [file], documents: DocumentOptions(skipsBroken: true), tokenizer: tokenizer, heldOutFraction: 0,
      conversations: format,
      threadCount: 1)
    let summary = try packing.run(to: folder.file("out"))
    #expect(summary.skipped == [.conversation: 1] && summary.documents[.training] == 2)
    let shard = try TokenDataset(folder: folder.file("out")).shards[0]
    #expect(shard.marksTargets && shard.document(0).allSatisfy { shard.isTarget($0) })
    func ids(_ text: String) -> [Int] { tokenizer.encode(text).map { Int($0) } }
    let answers = ids("runs<｜end▁of▁sentence｜>") + ids("never stops<｜end▁of▁sentence｜>")
    #expect(shard.document(1).filter { shard.isTarget($0) }.map { shard.token($0) } == answers)
    #expect(
      shard.document(1).map { shard.token($0) } == ids("<｜begin▁of▁sentence｜><｜User｜>the sea<｜Assistant｜>")
        + ids("runs<｜end▁of▁sentence｜>") + ids("<｜User｜>and<｜Assistant｜>") + ids("never stops<｜end▁of▁sentence｜>"))
  }
}

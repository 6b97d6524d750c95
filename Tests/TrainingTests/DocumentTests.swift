import SwiftletJSON
import SwiftletTokenization
import Testing

@testable import SwiftletTraining

/// How files become documents, and what is said about those that cannot.
@Suite struct DocumentTests {
  private func texts(_ files: [String], _ options: DocumentOptions = DocumentOptions()) throws -> [(text: String, line: Int)] {
    var reader = try DocumentReader(files: files, options: options), result: [(String, Int)] = []
    while let raw = try reader.next() {
      guard case .text(let text) = try Document(raw, options) else { continue }
      result.append((text, raw.line))
    }
    return result
  }

  @Test func textFiles() throws {
    let folder = try DataFolder()
    let file = try folder.write("a.txt", "one\ntwo\n<|endoftext|>\r\n\n  \n<|endoftext|>\nthree\n<|endoftext|>x\n")
    let separated = try texts([file], DocumentOptions(separator: "<|endoftext|>"))
    #expect(separated.map(\.text) == ["one\ntwo\n", "three\n<|endoftext|>x\n"])
    #expect(separated.map(\.line) == [1, 7])
    #expect(try texts([file]).count == 1)
    // Whole lines as long as they fit; nothing is lost.
    let passages = try texts([file], DocumentOptions(passageBytes: 9))
    #expect(passages.map(\.text).joined().filter { !$0.isWhitespace } == "onetwo<|endoftext|><|endoftext|>three<|endoftext|>x")
    #expect(passages.map(\.line) == [1, 3, 6, 7, 8])
    #expect(try texts([try folder.write("mark.txt", [0xEF, 0xBB, 0xBF] + Array("a".utf8)), file]).first?.text == "a")
  }

  @Test func jsonLines() throws {
    let folder = try DataFolder()
    let file = try folder.write(
      "a.jsonl", "{\"text\":\"one\\u0000 \\n\"}\n\n {\"id\":1,\"text\":\"two\"}\r\n{\"text\":\"no line end\"}")
    let found = try texts([file])
    #expect(found.map(\.text) == ["one\0 \n", "two", "no line end"])
    #expect(found.map(\.line) == [1, 3, 4])
    let other = try folder.write("b.data", "{\"body\":\"x\",\"text\":\"y\"}\n")
    #expect(try texts([other], DocumentOptions(format: .jsonLines, textKey: "body")).map(\.text) == ["x"])
  }

  static let broken: [(name: String, content: [UInt8], kind: DataError.Kind, line: Int?, says: String)] = [
    ("empty.txt", [], .empty, nil, "is empty"),
    ("binary.txt", Array("ok\nno\0t\n".utf8), .binary, 2, "zero byte"),
    ("latin.txt", Array("ok\nok\ncaf".utf8) + [0xE9, 0x0A], .notUTF8, 3, "0xE9"),
    ("cut.txt", Array("ok\n".utf8) + [0xE6, 0xB1], .notUTF8, 2, "0xE6"),
    ("long.txt", Array("short\n".utf8) + Array(repeating: 0x61, count: 200), .longLine, 2, "200 bytes"),
    ("long.jsonl", Array("{\"text\":\"short\"}\n".utf8) + Array(repeating: 0x61, count: 200), .longLine, 2, "200 bytes"),
    ("json.jsonl", Array("{\"text\":\"a\"}\n{\"text\":\"a\"\n".utf8), .json, 2, "byte"),
    ("binary.jsonl", Array("{\"text\":\"a\"}\n".utf8) + [0, 1, 2, 0x0A], .binary, 2, "byte 0"),
    ("latin.jsonl", Array("{\"text\":\"a".utf8) + [0xE9] + Array("\"}\n".utf8), .notUTF8, 1, "UTF-8"),
    ("array.jsonl", Array("[1]\n".utf8), .field, 1, "array"),
    ("key.jsonl", Array("{\"content\":\"a\"}\n".utf8), .field, 1, "\"content\""),
    ("number.jsonl", Array("{\"text\":3}\n".utf8), .field, 1, "number"),
    ("messages.jsonl", Array("{\"messages\":[]}\n".utf8), .field, 1, "messages"),
    ("chat.jsonl", Array("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n".utf8), .conversation, 1, "template"),
  ]

  @Test(arguments: broken.indices) func errorsNameFileAndLine(_ index: Int) throws {
    let (name, content, kind, line, says) = Self.broken[index]
    let folder = try DataFolder()
    let good = try folder.write("good.txt", Sample.text(1)), bad = try folder.write(name, content)
    let options = DocumentOptions(maximumLineBytes: 150)
    var packing = DataPacking(
      files: [good, bad], documents: options, tokenizer: try Sample.tokenizer(), heldOutFraction: 0, threadCount: 2)
    let error = try #require(throws: DataError.self) { try packing.run(to: folder.file("out")) }
    #expect(error.kind == kind && error.file == bad && error.line == line && error.reason.contains(says), "\(error)")
    #expect(throws: DataError.self) { try TokenDataset(folder: folder.file("out")) }
    // Left out and counted, unless it is the file that cannot be.
    packing.documents.skipsBroken = true
    guard kind != .empty else { return }
    let summary = try packing.run(to: folder.file("skipped"))
    #expect(summary.skipped == [kind: 1])
    #expect(summary.documents[.training] ?? 0 >= 1)
  }

  @Test func filesThatAreNone() throws {
    let folder = try DataFolder()
    for (files, kind) in [
      ([folder.file("missing")], DataError.Kind.file), ([folder.path], .file), ([], .setting),
      ([try folder.write("blank.txt", " \n\n ")], .empty),
    ] {
      let packing = DataPacking(files: files, tokenizer: try Sample.tokenizer(), threadCount: 1)
      #expect(throws: DataError.self) { try packing.run(to: folder.file("out")) }
      let error = #expect(throws: DataError.self) { try WordCounts.counting(files: files, preTokenizer: .gpt2, threadCount: 1) }
      #expect(error?.kind == kind)
    }
  }

  @Test func wordsOfFiles() throws {
    let folder = try DataFolder()
    let texts = (0..<50).map { Sample.text(UInt64($0)) }
    let lines = try folder.write("a.jsonl", Sample.jsonLines(texts)),
      text = try folder.write("b.txt", texts.joined(separator: "\n"))
    let chat = try folder.write(
      "c.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"},{\"role\":\"tool\"}]}\n")
    var expected = WordCounts(.deepSeekV3)
    for text in texts { expected.add(text) }
    expected.add(texts.joined(separator: "\n"), byLine: true)
    expected.add("hello there")
    for threads in 1...3 {
      let found = try WordCounts.counting(files: [lines, text, chat], preTokenizer: .deepSeekV3, threadCount: threads)
      #expect(found.words.totalCount == expected.totalCount && found.words.distinctCount == expected.distinctCount)
      let training = BytePairTraining(vocabularySize: 340)
      #expect(try training.vocabulary(of: found.words).merges == training.vocabulary(of: expected).merges)
    }
  }
}

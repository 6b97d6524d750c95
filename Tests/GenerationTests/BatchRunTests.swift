import Foundation
import Swiftlet
import SwiftletTestSupport
import Testing

/// Batches that are interrupted.
@Suite struct BatchRunTests {
  private let folder: TemporaryFolder
  private let model: LanguageModel
  /// A long row that short ones wait for.
  private static let rows =
    #"{"prompt":"long","max_tokens":150}"# + "\n" + (1...5).map { #"{"prompt":"\#($0)","max_tokens":2}"# }.joined(separator: "\n")

  init() throws {
    folder = try TemporaryFolder()
    model = try LanguageModel(path: TinyModels.chat(in: folder.path), threadCount: 1)
    try folder.write(Self.rows, to: "in.jsonl")
  }

  private func run(_ output: String, seed: UInt64 = 0) async throws -> Int {
    let options = GenerationOptions(temperature: 1, seed: seed, ignoresEnd: true)
    return try await BatchRun(model: model, defaults: options, concurrency: 3)
      .run(input: folder.path + "/in.jsonl", output: folder.path + "/" + output)
  }

  private func texts(_ output: String) throws -> [String] {
    try folder.read(output).split(separator: "\n").map { String($0.prefix { $0 != "]" }) }
  }

  @Test func whatWaitedIsNotAnsweredAgain() async throws {
    #expect(try await run("whole.jsonl") == 6)
    let batch = Task { try await run("out.jsonl") }
    func journal() -> [Substring] { ((try? folder.read("out.jsonl.journal")) ?? "").split(separator: "\n") }
    while journal().count < 3 { try await Task.sleep(for: .milliseconds(1)) }
    batch.cancel()
    await #expect(throws: CancellationError.self) { try await batch.value }
    #expect(try folder.read("out.jsonl").isEmpty)
    // Marked, to be known again; and torn at its end.
    let marked = journal()[1].replacing("\"text\":", with: "\"mark\":true,\"text\":")
    try folder.write(journal()[0] + "\n" + marked + "\n" + "{\"row\":", to: "out.jsonl.journal")
    #expect(try await run("out.jsonl") == 6)
    #expect(try folder.read("out.jsonl").components(separatedBy: "mark").count == 2)
    let unmarked = try texts("out.jsonl").map { $0.replacing("\"mark\":true,", with: "") }
    #expect(try unmarked == texts("whole.jsonl"))
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/out.jsonl.journal"))
    #expect(try await run("out.jsonl") == 0)
  }

  @Test func anOutputIsNotContinuedWithSomethingElse() async throws {
    let batch = Task { try await run("out.jsonl") }
    while !FileManager.default.fileExists(atPath: folder.path + "/out.jsonl.journal") {
      try await Task.sleep(for: .milliseconds(1))
    }
    batch.cancel()
    _ = await batch.result
    let before = try folder.read("out.jsonl")
    await #expect(throws: BatchError.self) { try await run("out.jsonl", seed: 1) }
    try folder.write(Self.rows.replacing("long", with: "other"), to: "in.jsonl")
    await #expect(throws: BatchError.self) { try await run("out.jsonl") }
    #expect(try folder.read("out.jsonl") == before)
    // More rows at the end are welcome.
    try folder.write(Self.rows + "\n{\"prompt\":\"new\",\"max_tokens\":2}\n", to: "in.jsonl")
    _ = try await run("out.jsonl")
    #expect(try texts("out.jsonl").count == 7)
  }
}

import Foundation
import SwiftletJSON
import Testing

/// Tokenizers and token files from the command line.
@Suite struct TrainingDataTests {
  private static let text = (0..<400).map { "the river runs down to the sea \($0 % 7)\n" }.joined()

  private func write(_ name: String, _ text: String, _ runner: CommandRunner) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: runner.folder + "/" + name))
  }

  @Test func fromTextToTokens() async throws {
    let runner = try CommandRunner()
    try write("a.txt", Self.text, runner)
    let train = ["tokenizer", "train", "a.txt", "--size", "270", "--out", "tokenizer.json"]
    let trained = try await runner.run(train + ["--json"])
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(try trained.keys == ["output", "tokens", "merges", "skipped", "seconds"])
    #expect(try trained.json["tokens"]?.integer == 270)
    let again = try await runner.run(train)
    #expect(again.status == 1 && again.errors.contains("--force"))
    let pack = ["data", "pack", "a.txt", "--tokenizer", "tokenizer.json", "--out", "data", "--held-out", "0", "--json"]
    let packed = try await runner.run(pack)
    #expect(packed.status == 0, "\(packed.errors)")
    #expect(try packed.keys == ["output", "training", "held_out", "skipped", "seconds"])
    #expect(try packed.json["training"]?["documents"]?.integer == 1)
    #expect(try await runner.run(pack).status == 0)
    let other = try await runner.run(pack + ["--fill-in-middle", "0.5"])
    #expect(other.status == 1 && other.errors.contains("other files or settings") && other.errors.contains("(--force)"))
    try write("data/dataset.json", "{", runner)
    let damaged = try await runner.run(pack)
    #expect(damaged.status == 1 && damaged.errors.contains("pack the data anew (--force)"), "\(damaged.errors)")
    #expect(try await runner.run(pack + ["--fill-in-middle", "0.5", "--force"]).status == 0)
  }

  /// Templates that print the date pack alike on every day.
  @Test func datesAreFixed() async throws {
    let runner = try CommandRunner()
    try write("a.txt", Self.text, runner)
    try write(
      "chats.jsonl", #"{"messages":[{"role":"user","content":"the"},{"role":"assistant","content":"sea"}]}"# + "\n", runner)
    try write(
      "t.jinja",
      "{{ strftime_now('%d %b %Y') }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        + "{% if add_generation_prompt %}<assistant>{% endif %}", runner)
    _ = try await runner.succeed("tokenizer", "train", "a.txt", "--size", "270", "--out", "tokenizer.json")
    func packed(_ out: String, _ date: String...) async throws -> Data {
      let pack = ["data", "pack", "chats.jsonl", "--tokenizer", "tokenizer.json", "--template", "t.jinja", "--held-out", "0"]
      let result = try await runner.run(pack + ["--out", out] + date)
      #expect(result.status == 0, "\(result.errors)")
      return try runner.data(out + "/training-000000.tokens")
    }
    let usual = try await packed("a")
    #expect(try await packed("b", "--date", "2024-07-26") == usual)
    #expect(try await packed("c", "--date", "2025-07-26") != usual)
    let other = try await runner.run([
      "data", "pack", "chats.jsonl", "--tokenizer", "tokenizer.json", "--template", "t.jinja", "--held-out", "0", "--out", "a",
      "--date", "2025-07-26",
    ])
    #expect(other.status == 1 && other.errors.contains("other files or settings"))
    let wrong = try await runner.run([
      "data", "pack", "a.txt", "--tokenizer", "tokenizer.json", "--out", "d", "--date", "2025-02-29",
    ])
    #expect(wrong.status != 0 && wrong.errors.contains("--date: found '2025-02-29'"))
  }

  @Test func aTextIsNotOverwrittenWithItsVocabulary() async throws {
    let runner = try CommandRunner()
    try write("a.txt", Self.text, runner)
    let result = try await runner.run(["tokenizer", "train", "a.txt", "--size", "270", "--out", "./a.txt", "--force"])
    #expect(result.status == 1 && result.errors.contains("which is read; choose another name"), "\(result.errors)")
    #expect(try runner.read("a.txt") == Self.text)
  }

  /// As job queues and `timeout` send it: no part of a file is left.
  @Test func terminationLeavesNothingBehind() async throws {
    let runner = try CommandRunner()
    try write("a.txt", String(repeating: Self.text, count: 4000), runner)
    func files() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: runner.folder).filter { $0.contains("tokenizer.json") }
    }
    let result = try await runner.run(["tokenizer", "train", "a.txt", "--size", "270", "--out", "tokenizer.json"]) { process in
      for _ in 0..<1000 where try files().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
      // The signal is watched for a moment after the file is begun.
      try await Task.sleep(for: .milliseconds(100))
      process.terminate()
    }
    #expect(result.status == 143 && result.output.isEmpty, "\(result)")
    #expect(try files().isEmpty)
  }

  @Test func errorsAreNamed() async throws {
    let runner = try CommandRunner()
    try write("a.txt", Self.text, runner)
    try write("bad.jsonl", "{\"text\":\"a\"}\n{\"body\":\"b\"}\n", runner)
    let out = ["--out", "tokenizer.json"]
    for (arguments, says) in [
      (["a.txt", "--size", "20"], "--size: found 20"), (["a.txt", "--size", "300", "--pre-tokenizer", "x"], "deepseek-v3"),
      (["none.txt", "--size", "300"], "none.txt"), (["bad.jsonl", "--size", "300"], "bad.jsonl, line 2"),
    ] {
      let result = try await runner.run(["tokenizer", "train"] + arguments + out)
      #expect(result.status != 0 && result.errors.contains(says), "\(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: runner.folder + "/tokenizer.json"))
    let skipped = try await runner.run(["tokenizer", "train", "bad.jsonl", "--size", "264", "--skip-broken", "--json"] + out)
    #expect(try skipped.status == 0 && skipped.json["skipped"]?["field"]?.integer == 1)
  }
}

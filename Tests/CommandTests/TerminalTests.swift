import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// The chat on a terminal.
@Suite(.timeLimit(.minutes(2)), .serialized) struct TerminalTests {
  private let runner: CommandRunner
  private static let forced = ["--logit-bias", "97=1000", "--max-tokens", "3"]
  private static let up = "\u{1B}[A"

  init() throws { runner = try CommandRunner() }

  private func chat(_ model: String, _ arguments: [String] = forced, _ environment: [String: String] = [:]) throws
    -> TerminalSession
  {
    let session = try TerminalSession(runner, ["chat", model] + arguments, environment: environment)
    try session.expect("/help for help")
    try session.expect(">>> ")
    return session
  }

  private func saved(_ file: String) throws -> [String] {
    let messages = try JSONValue(parsing: Array(runner.read(file).utf8)).elements ?? []
    return messages.filter { $0["role"]?.string == "user" }.compactMap { $0["content"]?.string }
  }

  @Test func messagesAreTypedPastedAndRecalled() throws {
    let model = try TinyModels.chat(in: runner.folder)
    let first = try chat(model)
    func answered(_ session: TerminalSession) throws {
      try session.expect("aaa\r\n")
      try session.expect(" tokens/s")
      try session.expect(">>> ")
    }
    first.type("Helo\u{1B}[Dl\r")
    try answered(first)
    // A pasted text is one message, and only Enter sends it.
    first.type("\u{1B}[200~one\rtwo\r\nthree\u{1B}[201~\r")
    try answered(first)
    first.type("\"\"\"/etc\r")
    try first.expect("... ")
    first.type("x\"\"\"\r")
    try answered(first)
    // A byte that is no UTF-8 takes no other along.
    first.type("\u{8}ab\r")
    try answered(first)
    first.type(Self.up + Self.up + Self.up + "\r")
    try answered(first)
    first.type("/save talk.json\r")
    try first.expect("Saved")
    try first.expect(">>> ")
    first.type("\u{4}")
    #expect(first.end() == 0)
    #expect(try saved("talk.json") == ["Hello", "one\ntwo\nthree", "/etc\nx", "ab", "one\ntwo\nthree"])

    // The next chat remembers, and nobody else reads it.
    let file = runner.folder + "/hf/swiftlet/history"
    #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
    let second = try chat(model)
    second.type(Self.up + Self.up + Self.up + "\r")
    try answered(second)
    second.type("/save talk.json\r/bye\r")
    #expect(second.end() == 0)
    #expect(try saved("talk.json") == ["ab"])
  }

  @Test func ctrlCStopsTheAnswerOnly() throws {
    let model = try TinyModels.chat(in: runner.folder, contextLength: 1_000_000)
    let session = try chat(model, ["--logit-bias", "97=1000"])
    session.type("Hi\r")
    try session.expect("aaa")
    session.interrupt()
    try session.expect(" tokens/s (stopped)")
    try session.expect(">>> ")
    session.type("\u{3}")
    try session.expect("/bye leaves")
    try session.expect(">>> ")
    session.type("/set max_tokens 3\r")
    try session.expect(">>> ")
    session.type("Hi\r")
    try session.expect("aaa\r\n")
    try session.expect(">>> ")
    // At the prompt the signal does nothing.
    session.interrupt()
    session.type("/show\r")
    try session.expect("architecture")
    session.type("/bye\r")
    #expect(session.end() == 0)
  }

  @Test func thoughtsAreDimOrMarked() throws {
    let model = try TinyModels.chat(in: runner.folder, opensThought: true)
    let dim = try chat(model)
    dim.type("Hi\r")
    try dim.expect("\u{1B}[2ma")
    try dim.expect("tokens/s")
    let plain = try TerminalSession(runner, ["chat", model] + Self.forced, environment: ["NO_COLOR": "1"])
    try plain.expect(">>> ")
    plain.type("Hi\r")
    try plain.expect("<think>\r\naaa\r\n</think>\r\n")
    try plain.expect("tokens/s")
  }

  @Test func aDumbTerminalGetsLinesAlone() throws {
    let model = try TinyModels.chat(in: runner.folder, opensThought: true)
    let session = try TerminalSession(runner, ["chat", model] + Self.forced, environment: ["TERM": "dumb"])
    var shown = try session.expect(">>> ")
    session.type("Hi\n")
    shown += try session.expect("<think>\r\naaa\r\n</think>\r\n")
    shown += try session.expect("tokens/s")
    shown += try session.expect(">>> ")
    session.type("\u{4}")
    #expect(session.end() == 0)
    #expect(!shown.contains("\u{1B}"), "\(shown)")
  }

  @Test func theTerminalIsGivenBack() throws {
    let session = try chat(try TinyModels.chat(in: runner.folder))
    session.type("x")
    try session.expect("x")
    #expect(!session.isCooked)
    session.terminate()
    #expect(session.end() == SIGTERM)
    #expect(session.isCooked)
  }

  /// Drawing everything at each character would write millions of bytes.
  @Test func muchTextIsNotDrawnForEachCharacter() throws {
    let session = try chat(try TinyModels.chat(in: runner.folder, contextLength: 20_000))
    session.type(String(repeating: "word ", count: 1600) + "\r")
    try session.expect("tokens/s")
    #expect(session.byteCount < 500_000)
    try session.expect(">>> ")
    session.type("\u{1B}[200~\(String(repeating: "line\r", count: 500))\u{1B}[201~")
    session.type("\u{3}")
    try session.expect("/bye leaves")
    #expect(session.byteCount < 550_000)
  }

  @Test func aPromptIsAskedForWithAHint() throws {
    let model = try TinyModels.chat(in: runner.folder)
    let session = try TerminalSession(runner, ["run", model])
    try session.expect("swiftlet chat \(model)")
    #expect(session.end() == 1)
  }

  @Test func controlCharactersOfAModelAreLeftOut() throws {
    let model = try TinyModels.chat(in: runner.folder)
    let session = try TerminalSession(runner, ["run", model, "Hi", "--logit-bias", "27=1000", "--max-tokens", "3"])
    #expect(session.end() == 0)
    #expect(session.byteCount == 2)

    try Data("a\u{1B}b".utf8).write(to: URL(fileURLWithPath: model + "/chat_template.jinja"))
    let template = try TerminalSession(runner, ["show", model, "--template"])
    try template.expect("ab\r\n")
    #expect(template.end() == 0)
    let decoded = try TerminalSession(runner, ["tokenize", model, "--decode"])
    decoded.type("[97,27,97]\n")
    try decoded.expect("aa\r\n")
    decoded.type("\u{4}")
    #expect(decoded.end() == 0)
    _ = try runner.file("talk.json", #"[{"role": "system", "content": "a\u001bb"}]"#)
    let loaded = try chat(try TinyModels.chat(in: runner.folder, opensThought: true))
    loaded.type("/load talk.json\r/show\r")
    try loaded.expect("system")
    try loaded.expect("ab")
    loaded.type("/bye\r")
    #expect(loaded.end() == 0)
  }
}

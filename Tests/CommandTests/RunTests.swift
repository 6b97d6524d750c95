import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RunTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private func ids(_ arguments: String..., model: String = TinyModels.gguf("deepseek-v3")) async throws -> [Int] {
    let result = try await runner.run(["run", model, "the end of", "--json", "--max-tokens", "24"] + arguments)
    #expect(result.status == 0, "\(result.errors)")
    return try (result.json["ids"]?.elements ?? []).compactMap(\.integer)
  }

  @Test(arguments: ["deepseek-v3", "llama-gqa-tied"]) func idsDoNotDependOnThreads(name: String) async throws {
    let model = TinyModels.gguf(name)
    for temperature in ["0", "1.2"] {
      let one = try await ids("--temperature", temperature, "--seed", "7", "--threads", "1", model: model)
      #expect(!one.isEmpty)
      #expect(try await ids("--temperature", temperature, "--seed", "7", "--threads", "2", model: model) == one)
      #expect(try await ids("--temperature", temperature, "--seed", "7", "--threads", "3", model: model) == one)
    }
  }

  @Test func aSeedRepeatsAndAnotherDoesNot() async throws {
    let first = try await ids("--temperature", "1.5", "--top-p", "1", "--seed", "1")
    #expect(try await ids("--temperature", "1.5", "--top-p", "1", "--seed", "1") == first)
    #expect(try await ids("--temperature", "1.5", "--top-p", "1", "--seed", "2") != first)
  }

  @Test func anAnswerEndsBeforeAStopText() async throws {
    let arguments = [
      "run", TinyModels.gguf("llama-gqa-tied"), "the end of", "--temperature", "0", "--max-tokens", "64", "--json",
    ]
    let text = try #require(try await runner.run(arguments).json["text"]?.string)
    let stop = try #require(text.dropFirst().first { $0.isASCII && $0 != "\0" })
    let stopped = try await runner.run(arguments + ["--stop", "never said", "--stop", String(stop)]).json
    #expect(stopped["text"]?.string == String(text.prefix { $0 != stop }))
    #expect(stopped["finish_reason"]?.string == "stop")
  }

  @Test func aBiasForcesAToken() async throws {
    #expect(try await ids("--logit-bias", "100=1000", "--max-tokens", "3") == [100, 100, 100])
  }

  /// A value that begins with a dash is a value.
  @Test func aPenaltyMayBeBelowZero() async throws {
    let repeated = try await ids("--temperature", "0", "--frequency-penalty", "-100", "--presence-penalty", "-1")
    #expect(Set(repeated).count == 1, "\(repeated)")
  }

  @Test func theAnswerEndsWithTheContext() async throws {
    let result = try await runner.succeed(
      "run", TinyModels.gguf("llama-gqa-tied"), "the", "--context", "12", "--logit-bias", "100=1000", "--json")
    let json = try result.json
    #expect(json["finish_reason"]?.string == "length")
    #expect((json["prompt_tokens"]?.integer ?? 0) + (json["completion_tokens"]?.integer ?? 0) <= 13)
  }

  @Test func standardInputJoinsThePrompt() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    func tokens(_ arguments: [String], _ input: String) async throws -> Int? {
      let result = try await runner.run(["run", model] + arguments + ["--max-tokens", "1", "--json"], input: Array(input.utf8))
      return try result.json["prompt_tokens"]?.integer
    }
    #expect(try await tokens(["Summarise:\nText"], "") == (try await tokens(["Summarise:"], "Text")))
    #expect(try await tokens(["Text"], "") == (try await tokens([], "Text")))
    // The line end that `echo` adds is no part of it; a second one is.
    #expect(try await tokens([], "Text\n") == (try await tokens([], "Text")))
    #expect(try await tokens([], "Text\r\n") == (try await tokens([], "Text")))
    #expect(try await tokens([], "Text\n\n") == (try await tokens([], "Text\n")).map { $0 + 1 })
  }

  @Test func theTemplateTheSystemPromptAndRawAreUsed() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    func tokens(_ arguments: String...) async throws -> Int? {
      try await runner.run(["run", model, "Hi", "--max-tokens", "1", "--json"] + arguments).json["prompt_tokens"]?.integer
    }
    // A token a byte, and one for <|end|>.
    #expect(try await tokens() == "user: Hi".count + 1 + "assistant: ".count)
    #expect(try await tokens("--system", "Be") == "system: Be".count + 1 + "user: Hi".count + 1 + "assistant: ".count)
    #expect(try await tokens("--raw") == 2)
  }

  @Test func aThoughtIsToldApart() async throws {
    let model = try TinyModels.chat(in: runner.folder, opensThought: true)
    let arguments = ["run", model, "Hi", "--max-tokens", "4", "--logit-bias", "97=1000"]
    let json = try await runner.run(arguments + ["--json"]).json
    #expect(json["reasoning"]?.string == "aaaa")
    #expect(json["text"]?.string == "")
    #expect(try await runner.run(arguments).output == "\n", "no thought where no terminal shows it")
  }

  @Test func aTemplateCanBeNamed() async throws {
    let base = try TinyModels.chat(in: runner.folder, hasTemplate: false)
    let options = ["--max-tokens", "1", "--json"]
    func tokens(_ arguments: String...) async throws -> Int? {
      try await runner.run(["run", base, "Hi"] + arguments + options).json["prompt_tokens"]?.integer
    }
    // A byte is a token here.
    #expect(try await tokens() == 2)
    #expect(try await tokens("--template", "deepseek-v2") == "User: Hi\n\nAssistant:".utf8.count)
    #expect(try await tokens("--template", "deepseek-r1") == "<｜User｜>Hi<｜Assistant｜><think>\n".utf8.count)
    let file = try runner.file("mine.jinja", "{{ messages[0].content }}!")
    #expect(try await tokens("--template", file) == 3)
    let unknown = try await runner.run(["run", base, "Hi", "--template", "deepseek-v9"])
    #expect(unknown.status == 1 && unknown.errors.contains("deepseek-v3.2") && unknown.output.isEmpty)
    let rendered = try await runner.succeed(
      "tokenize", base, "--chat", runner.file("m.json", #"[{"role":"user","content":"Hi"}]"#), "--template", "deepseek-v3.1")
    #expect(try rendered.json["text"]?.string == "<｜User｜>Hi<｜Assistant｜></think>")
    let chat = try await runner.run(
      ["chat", base, "--template", "deepseek-v3", "--logit-bias", "97=1000", "--max-tokens", "3"], input: Array("Hi\n".utf8))
    #expect(chat.status == 0 && chat.output == "aaa\n", "\(chat.errors)")
  }

  @Test func fillingInNeedsAModelForIt() async throws {
    let result = try await runner.run(["run", TinyModels.chat(in: runner.folder), "a", "--suffix", "b"])
    #expect(result.status == 1 && result.output.isEmpty)
    #expect(result.errors.contains("no tokens for filling in"))
    for other in [["--raw"], ["--system", "s"], ["--template", "deepseek-v3"]] {
      let result = try await runner.run(["run", "x", "a", "--suffix", "b"] + other)
      #expect(result.status == 64 && result.errors.contains("--suffix"))
    }
  }
}

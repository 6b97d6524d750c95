import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletMutationCases
import SwiftletTokenization
import Testing

/// The files beside a folder's weights.
@Suite struct ModelFolderTests {
  /// A small model with further files.
  private func folder(_ files: (name: String, text: String)...) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors"] {
      try folder.write(Seeds.bytes("\(Seeds.checkpoints)/llama-mha/\(name)"), as: name)
    }
    for file in files { try folder.write(Array(file.text.utf8), as: file.name) }
    return folder
  }

  private func refusal(_ folder: TemporaryFolder) throws -> CheckpointError {
    try #require(#expect(throws: CheckpointError.self) { try LoadedModel(path: folder.url.path) })
  }

  @Test func generationConfigurationAddsEnds() throws {
    let folder = try folder(("generation_config.json", #"{"eos_token_id": [5, 7]}"#))
    #expect(try LoadedModel(path: folder.url.path).endTokens == [1, 5, 7])
    try folder.write(Array("{}".utf8), as: "generation_config.json")
    #expect(try LoadedModel(path: folder.url.path).endTokens == [1])
  }

  @Test(arguments: [
    (#"{"eos_token_id": "x"}"#, "eos_token_id"), (#"{"eos_token_id": [1, "x"]}"#, "eos_token_id"), ("[1, 2]", "JSON"),
  ]) func brokenGenerationConfigurationIsRefused(_ text: String, _ field: String) throws {
    let folder = try folder(("generation_config.json", text))
    let error = try refusal(folder)
    #expect(error.file == folder.path("generation_config.json") && error.field == field)
  }

  @Test func generationConfigurationAdvises() throws {
    let advice = #"{"do_sample": true, "temperature": 0.3, "top_p": 0.8, "top_k": 20, "max_new_tokens": 99, "eos_token_id": 1}"#
    let folder = try folder(("generation_config.json", advice))
    let options = try LoadedModel(path: folder.url.path).advisedOptions
    #expect(options == GenerationOptions(temperature: 0.3, topK: 20, topP: 0.8, maximumResponseTokens: 99))
    // Numbers of a model that is not to be sampled from mean nothing, but for the penalty, which changes the likeliest token too.
    try folder.write(Array(#"{"temperature": 0.3, "repetition_penalty": 1.1}"#.utf8), as: "generation_config.json")
    #expect(try LoadedModel(path: folder.url.path).advisedOptions == GenerationOptions(repetitionPenalty: 1.1))
    try folder.write(Array(#"{"do_sample": false, "temperature": 0.3}"#.utf8), as: "generation_config.json")
    #expect(try LoadedModel(path: folder.url.path).advisedOptions == .greedy)
    for broken in [
      #"{"do_sample": true, "top_p": "x"}"#, #"{"do_sample": true, "temperature": -1}"#, #"{"max_new_tokens": 0}"#,
      #"{"repetition_penalty": 0}"#,
    ] {
      try folder.write(Array(broken.utf8), as: "generation_config.json")
      #expect(try refusal(folder).file == folder.path("generation_config.json"))
    }
  }

  @Test func templatesAreFound() throws {
    let folder = try folder(("tokenizer_config.json", #"{"chat_template": "c"}"#))
    func template() throws -> String? { try LoadedModel(path: folder.url.path).template?.text }
    #expect(try template() == "c")
    try folder.write(Array(#"{"chat_template": null}"#.utf8), as: "tokenizer_config.json")
    #expect(try template() == nil)
    let list = #"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#
    try folder.write(Array(list.utf8), as: "tokenizer_config.json")
    #expect(try template() == "d")
    #expect(try LoadedModel(path: folder.url.path).template?.toolText == "t")
    try folder.write(Array(#"{"chat_template": "b"}"#.utf8), as: "chat_template.json")
    #expect(try template() == "b")
    try folder.write(Array("a".utf8), as: "chat_template.jinja")
    #expect(try template() == "a")
  }

  @Test(arguments: [
    (#"{"chat_template": 7}"#, "found a JSON number"),
    (#"{"chat_template": [{"name": "rag", "template": "t"}]}"#, "names \"rag\""),
    (#"{"chat_template": [3]}"#, "a list of 1"), (#"{"chat_template": [{"name": "default"}]}"#, "expected one named default"),
  ]) func brokenTemplatesAreRefused(_ text: String, _ reason: String) throws {
    for name in ["tokenizer_config.json", "chat_template.json"] {
      let folder = try folder((name, text))
      let error = try refusal(folder)
      #expect(error.file == folder.path(name) && error.field == "chat_template" && error.reason.contains(reason))
    }
  }

  @Test func missingConfigurationIsNamedOnce() throws {
    let folder = try TemporaryFolder()
    let error = try refusal(folder)
    #expect(error.description == "\(folder.path("config.json")): file: cannot be opened: No such file or directory")
  }

  @Test func tokenizerErrorsNameThePath() throws {
    let folder = try folder(("tokenizer_config.json", #"{"bos_token": 3}"#))
    try folder.write(Seeds.bytes("TokenizationTests/Fixtures/gpt-2.tokenizer.json"), as: "tokenizer.json")
    let error = #expect(throws: TokenizerError.self) { try LoadedModel.tokenizer(path: folder.url.path) }
    #expect(error?.source == folder.path("tokenizer_config.json") && error?.field == "bos_token")
  }
}

internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTokenization

/// The JSON and text files beside the weights of a folder, as the hub lays it out.
struct ModelFolder {
  let path: String
  /// Files are read as a whole, and take some times their size as values and tables, so larger ones are refused. The largest
  /// tokenizer.json known has 35 MB.
  private static func maximumBytes(_ name: String) -> Int { name == "tokenizer.json" ? 64 << 20 : 32 << 20 }

  func path(_ name: String) -> String { path.isEmpty ? name : path + "/" + name }

  /// Whether there is anything of the name: what cannot be opened, such as a link to nothing, is an error and not missing.
  private func has(_ name: String) -> Bool {
    var status = stat()
    return lstat(path(name), &status) == 0
  }

  func bytes(_ name: String) throws(CheckpointError) -> [UInt8] {
    let bytes = try RegularFile(path: path(name)).bytes(maximumBytes: Self.maximumBytes(name))
    guard !bytes.isEmpty else { throw failure(name, "file", "is empty") }
    return bytes
  }

  func json(_ name: String) throws(CheckpointError) -> JSONValue {
    try MappedFile(path: path(name), maximumBytes: Self.maximumBytes(name)).json()
  }

  private func failure(_ file: String, _ field: String, _ reason: String) -> CheckpointError {
    CheckpointError(file: path(file), field: field, reason: reason)
  }

  /// nil when there is no tokenizer.json.
  func tokenizer() throws -> Tokenizer? {
    let configuration = "tokenizer_config.json"
    guard has("tokenizer.json") else { return nil }
    return try Tokenizer(
      tokenizerJSON: bytes("tokenizer.json"), configuration: has(configuration) ? bytes(configuration) : nil,
      source: path("tokenizer.json"), configurationSource: path(configuration))
  }

  private static let generationFile = "generation_config.json"

  /// What generation_config.json holds; nil when there is none.
  func generationConfiguration() throws(CheckpointError) -> JSONValue? {
    let name = Self.generationFile
    guard has(name) else { return nil }
    let json = try json(name)
    guard json.members != nil else { throw failure(name, "JSON", "found a JSON \(json.typeName), expected an object") }
    return json
  }

  /// Tokens that `generationConfiguration` names as ends.
  func generationEnds(_ configuration: JSONValue?) throws(CheckpointError) -> [Int] {
    guard let configuration else { return [] }
    return try ModelConfiguration.endTokens(json: configuration, source: path(Self.generationFile))
  }

  /// How `generationConfiguration` advises to choose tokens: its max_new_tokens and repetition_penalty, and where it samples its
  /// temperature, top_p, top_k and min_p; where it says that it does not, the likeliest token.
  func advisedOptions(_ configuration: JSONValue?) throws(CheckpointError) -> GenerationOptions {
    let name = Self.generationFile
    var options = GenerationOptions()
    guard let json = configuration else { return options }
    func value<Value>(_ field: String, _ expected: String, _ read: (JSONValue) -> Value?) throws(CheckpointError) -> Value? {
      guard let found = json[field], !found.isNull else { return nil }
      guard let value = read(found) else {
        throw failure(name, field, "found \(CheckpointError.excerpt(found.serialized())), expected \(expected)")
      }
      return value
    }
    if let limit = try value("max_new_tokens", "an integer", \.integer) { options.maximumResponseTokens = limit }
    if let penalty = try value("repetition_penalty", "a number", \.double) { options.repetitionPenalty = penalty }
    switch try value("do_sample", "true or false", \.bool) {
    case true?:
      if let temperature = try value("temperature", "a number", \.double) { options.temperature = temperature }
      if let topP = try value("top_p", "a number", \.double) { options.topP = topP }
      if let topK = try value("top_k", "an integer", \.integer) { options.topK = topK }
      if let minP = try value("min_p", "a number", \.double) { options.minP = minP }
    case false?: options.temperature = 0
    case nil: break
    }
    do throws(GenerationError) {
      try options.validate(vocabularySize: .max)
    } catch {
      throw failure(name, "sampling", "\(error)")
    }
    return options
  }

  /// The chat template: a file of its own, or a field of tokenizer_config.json; nil when there is none.
  func template() throws(CheckpointError) -> TemplateSource? {
    let name = "chat_template.jinja"
    if has(name) { return TemplateSource(text: String(decoding: try bytes(name), as: UTF8.self), file: path(name)) }
    for name in ["chat_template.json", "tokenizer_config.json"] where has(name) {
      if let template = try template(in: name) { return template }
    }
    guard has("config.json") else { return nil }
    return TemplateSource(architecture: try json("config.json")["model_type"]?.string)
  }

  /// A text, or a list of named ones, of which `default` is taken, and `tool_use` where there is one.
  private func template(in name: String) throws(CheckpointError) -> TemplateSource? {
    let field = "chat_template"
    let json = try json(name)
    guard json.members != nil else { throw failure(name, "JSON", "found a JSON \(json.typeName), expected an object") }
    guard let value = json[field], !value.isNull else { return nil }
    if let text = value.string { return TemplateSource(text: text, file: path(name)) }
    guard let list = value.elements else {
      throw failure(name, field, "found a JSON \(value.typeName), expected a text or a list of named texts")
    }
    func named(_ name: String) -> String? { list.first { $0["name"]?.string == name }?["template"]?.string }
    guard let text = named("default") else {
      let names = list.compactMap { $0["name"]?.string }.joined(separator: ", ")
      throw failure(name, field, "found a list of \(list.count) with the names \"\(names)\", expected one named default")
    }
    return TemplateSource(text: text, toolText: named("tool_use"), file: path(name))
  }
}

internal import Foundation
public import SwiftletCheckpoints
internal import SwiftletJSON
public import SwiftletModels
public import SwiftletTokenization

/// A model's files, read and checked: weights, tokenizer, chat template.
public struct LoadedModel: Sendable {
  /// The GGUF file or the folder.
  public let path: String
  public let weights: WeightSource
  public let decoder: Decoder
  /// nil for a folder without tokenizer.json.
  public let tokenizer: Tokenizer?
  /// The text of the chat template; nil for models that have none.
  public let templateSource: String?
  /// Tokens that end an answer.
  public let endTokens: Set<Int32>

  public var configuration: ModelConfiguration { decoder.configuration }

  /// Opens a GGUF file, or a folder with config.json, safetensors and, where there are, tokenizer and template.
  /// - Throws: `CheckpointError`, `ModelError` or `TokenizerError`, which name the file, the field, what was found and expected.
  public init(path: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      try self.init(folder: path)
    } else {
      try self.init(gguf: path)
    }
  }

  private init(gguf path: String) throws {
    let file = try GGUFFile(path: path)
    self.path = path
    weights = .gguf(file)
    decoder = try Decoder(ModelConfiguration(gguf: file), weights: weights)
    let tokenizer = try Tokenizer(gguf: file)
    self.tokenizer = tokenizer
    templateSource = file["tokenizer.chat_template"]?.string
    endTokens = tokenizer.generationEnds
    try checkVocabulary()
  }

  private init(folder path: String) throws {
    self.path = path
    let configPath = path + "/config.json"
    let config = try Self.json(configPath)
    let configuration = try ModelConfiguration(json: config, source: configPath)
    weights = .safetensors(try SafetensorsFolder(path: path))
    decoder = try Decoder(configuration, weights: weights)
    tokenizer = try Self.tokenizer(folder: path)
    templateSource = try Self.template(folder: path)
    var ends = Set(configuration.endTokens)
    if FileManager.default.fileExists(atPath: path + "/generation_config.json") {
      let value = try Self.json(path + "/generation_config.json")["eos_token_id"]
      ends.formUnion(value?.elements?.compactMap(\.integer) ?? value?.integer.map { [$0] } ?? [])
    }
    endTokens = Set(ends.compactMap { Int32(exactly: $0) }).union(tokenizer?.generationEnds ?? [])
    try checkVocabulary()
  }

  /// The tokenizer of a GGUF file, of a tokenizer.json, or of a folder that may hold nothing else.
  public static func tokenizer(path: String) throws -> Tokenizer {
    if path.hasSuffix("/tokenizer.json") { return try tokenizer(path: String(path.dropLast("/tokenizer.json".count))) }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      if let tokenizer = try tokenizer(folder: path) { return tokenizer }
      throw CheckpointError(file: path, field: "folder", reason: "found no tokenizer.json")
    }
    return try Tokenizer(gguf: GGUFFile(path: path))
  }

  /// The text of the chat template of a GGUF file or folder.
  public static func template(path: String) throws -> String? {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      return try template(folder: path)
    }
    return try GGUFFile(path: path)["tokenizer.chat_template"]?.string
  }

  /// A tokenizer may name fewer tokens than the model has rows, never more.
  private func checkVocabulary() throws(ModelError) {
    if let tokenizer, tokenizer.vocabularySize > configuration.vocabularySize {
      throw ModelError(
        source: path, field: "vocabulary",
        reason:
          "the tokenizer has \(tokenizer.vocabularySize) tokens, but the model only \(configuration.vocabularySize) embeddings")
    }
  }

  private static func tokenizer(folder: String) throws -> Tokenizer? {
    let path = folder + "/tokenizer.json", configurationPath = folder + "/tokenizer_config.json"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let configuration = FileManager.default.fileExists(atPath: configurationPath) ? try bytes(configurationPath) : nil
    return try Tokenizer(tokenizerJSON: bytes(path), configuration: configuration, source: path)
  }

  /// `chat_template.jinja`, or `chat_template` of tokenizer_config.json: a text, or a list of named ones.
  private static func template(folder: String) throws -> String? {
    let path = folder + "/chat_template.jinja", configurationPath = folder + "/tokenizer_config.json"
    if FileManager.default.fileExists(atPath: path) { return String(decoding: try bytes(path), as: UTF8.self) }
    guard FileManager.default.fileExists(atPath: configurationPath) else { return nil }
    let value = try json(configurationPath)["chat_template"]
    return value?.string ?? value?.elements?.first { $0["name"]?.string == "default" }?["template"]?.string
  }

  private static func bytes(_ path: String) throws(CheckpointError) -> [UInt8] {
    try MappedFile(path: path).withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
  }

  private static func json(_ path: String) throws(CheckpointError) -> JSONValue {
    do {
      return try MappedFile(path: path).withBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
    } catch let error as JSONError {
      throw CheckpointError(file: path, field: "JSON", reason: "\(error)")
    } catch {
      throw CheckpointError(file: path, field: "file", reason: "\(error)")
    }
  }
}

extension Tokenizer {
  /// The tokenizer of a GGUF file.
  /// - Throws: `TokenizerError` naming the key that is missing or broken.
  public convenience init(gguf file: GGUFFile) throws(TokenizerError) {
    func ids(_ keys: String...) -> [Int] { keys.compactMap { file["tokenizer.ggml.\($0)"]?.integer } }
    guard let tokens = file["tokenizer.ggml.tokens"]?.strings else {
      throw TokenizerError(
        .malformed, source: file.path, field: "tokenizer.ggml.tokens", reason: "is missing, expected an array of strings")
    }
    try self.init(
      VocabularyDescription(
        model: file["tokenizer.ggml.model"]?.string ?? "", preTokenizer: file["tokenizer.ggml.pre"]?.string, tokens: tokens,
        tokenTypes: (file["tokenizer.ggml.token_type"]?.integers ?? []).map { Int32(truncatingIfNeeded: $0) },
        merges: file["tokenizer.ggml.merges"]?.strings ?? [], beginningOfSequence: ids("bos_token_id").first,
        endOfSequence: ids("eos_token_id").first, furtherEnds: ids("eot_token_id", "eom_token_id"),
        addsBeginningOfSequence: file["tokenizer.ggml.add_bos_token"]?.bool, source: file.path))
  }
}

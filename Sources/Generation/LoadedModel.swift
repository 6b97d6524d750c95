internal import Foundation
public import SwiftletCheckpoints
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
  /// nil for models that have no chat template.
  public let template: TemplateSource?
  /// Tokens that end an answer.
  public let endTokens: Set<Int32>
  /// Bytes that are left for the caches of all conversations together; nil when no limits were given.
  public let cacheMemory: Int?
  /// What generation_config.json in the folder, or beside the GGUF file, advises for choosing tokens.
  public let advisedOptions: GenerationOptions

  public var configuration: ModelConfiguration { decoder.configuration }

  /// What decides what the positions of a prompt hold: weights, configuration, and the type of what is kept.
  public var identity: String {
    // A GGUF file holds its configuration.
    let configuration = try? MappedFile(path: path + "/config.json").fingerprint
    return [PackedWeightCache.identity(of: weights, withExperts: true), configuration ?? "", "\(decoder.cacheType)"]
      .joined(separator: "\n")
  }

  /// How a model is to lie in memory, and how much there is.
  private struct MemoryChoice {
    let experts: ExpertPlacement
    let contextLength: Int?
    let limits: MemoryLimits?
    let cache: PackedWeightCache?

    func checkFiles(_ files: @autoclosure () -> [String], path: String) throws(MemoryError) {
      if let limits { try MemoryPlan.checkAddresses(path: path, files: files(), limits: limits) }
    }

    /// The decoder, and the bytes that are left for caches.
    func decoder(_ configuration: ModelConfiguration, _ weights: WeightSource) throws -> (Decoder, cacheMemory: Int?) {
      guard let limits else { return (try Decoder(configuration, weights: weights), nil) }
      let needs = MemoryNeeds(configuration, weights: weights)
      func plan(packsIntoFile: Bool) throws(MemoryError) -> MemoryPlan {
        try MemoryPlan(
          needs, path: weights.path, experts: experts, contextLength: contextLength,
          modelContextLength: configuration.contextLength, limits: limits, packsIntoFile: packsIntoFile,
          addressesInUse: MemoryPlan.addressesInUse())
      }
      if let cache {
        let plan = try plan(packsIntoFile: true)
        if let decoder = try Decoder.cached(
          in: cache, configuration, weights: weights, needs: needs, expertMemory: plan.expertMemory)
        {
          return (decoder, plan.cacheMemory)
        }
      }
      let plan = try plan(packsIntoFile: false)
      return (try Decoder(configuration, weights: weights, expertMemory: plan.expertMemory), plan.cacheMemory)
    }
  }

  /// Opens a GGUF file (of several parts, the first), or a folder with config.json, safetensors and, where there are, tokenizer and template.
  /// - Parameters:
  ///   - template: taken instead of the files' own.
  ///   - experts: where the experts of a mixture are; without effect for models that have none.
  ///   - contextLength: positions that must fit into memory; nil for what a short prompt takes.
  ///   - limits: how much memory there is; nil to look at a model that may not fit.
  ///   - cache: where packed weights are kept for the next time; nil to pack them in memory every time.
  /// - Throws: `CheckpointError` or `TokenizerError`, which name the file, the field, what was found and expected; `MemoryError`, before
  ///   any weight is read, when the model does not fit into memory.
  public init(
    path: String, template: TemplateSource? = nil, experts: ExpertPlacement = .memory, contextLength: Int? = nil,
    limits: MemoryLimits? = .current, cache: PackedWeightCache? = nil
  ) throws {
    let memory = MemoryChoice(experts: experts, contextLength: contextLength, limits: limits, cache: cache)
    if Self.isFolder(path) {
      try self.init(folder: path, template, memory)
    } else {
      try self.init(gguf: path, template, memory)
    }
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// A model's shape and its weights, of which nothing is read yet.
  static func headers(path: String) throws -> (configuration: ModelConfiguration, weights: WeightSource) {
    if isFolder(path) {
      let files = ModelFolder(path: path)
      let configuration = try ModelConfiguration(json: files.json("config.json"), source: files.path("config.json"))
      return (configuration, .safetensors(try SafetensorsFolder(path: path)))
    }
    let file = try GGUFFile(path: path)
    return (try ModelConfiguration(gguf: file), .gguf(file))
  }

  private init(gguf path: String, _ named: TemplateSource?, _ memory: MemoryChoice) throws {
    try memory.checkFiles([path], path: path)
    let file = try GGUFFile(path: path)
    self.path = path
    weights = .gguf(file)
    (decoder, cacheMemory) = try memory.decoder(ModelConfiguration(gguf: file), weights)
    let tokenizer = try Tokenizer(gguf: file)
    self.tokenizer = tokenizer
    template = try named ?? Self.template(of: file)
    endTokens = tokenizer.generationEnds
    let files = ModelFolder(path: (path as NSString).deletingLastPathComponent)
    advisedOptions = try files.advisedOptions(files.generationConfiguration())
    try checkVocabulary()
  }

  private init(folder path: String, _ named: TemplateSource?, _ memory: MemoryChoice) throws {
    self.path = path
    let files = ModelFolder(path: path)
    let configPath = files.path("config.json")
    let configuration = try ModelConfiguration(json: files.json("config.json"), source: configPath)
    try memory.checkFiles(
      (try? FileManager.default.contentsOfDirectory(atPath: path))?.filter { $0.hasSuffix(".safetensors") }.map(files.path) ?? [],
      path: path)
    weights = .safetensors(try SafetensorsFolder(path: path))
    (decoder, cacheMemory) = try memory.decoder(configuration, weights)
    tokenizer = try files.tokenizer()
    template = try named ?? files.template()
    let generation = try files.generationConfiguration()
    advisedOptions = try files.advisedOptions(generation)
    let ends = try Set(configuration.endTokens + files.generationEnds(generation))
    endTokens = Set(ends.compactMap { Int32(exactly: $0) }).union(tokenizer?.generationEnds ?? [])
    try checkVocabulary()
  }

  /// Tokens that generation_config.json in a folder names as ends of an answer.
  public static func advisedEnds(path: String) throws -> [Int] {
    guard isFolder(path) else { return [] }
    let files = ModelFolder(path: path)
    return try files.generationEnds(files.generationConfiguration())
  }

  /// The tokenizer of a GGUF file, of a tokenizer.json, or of a folder that may hold nothing else.
  public static func tokenizer(path: String) throws -> Tokenizer {
    if path.hasSuffix("/tokenizer.json") { return try tokenizer(path: String(path.dropLast("/tokenizer.json".count))) }
    if isFolder(path) {
      if let tokenizer = try ModelFolder(path: path).tokenizer() { return tokenizer }
      throw CheckpointError(file: path, field: "folder", reason: "found no tokenizer.json")
    }
    // One that was trained, under another name.
    if path.hasSuffix(".json") {
      return try Tokenizer(tokenizerJSON: RegularFile(path: path).bytes(), configuration: nil, source: path)
    }
    return try Tokenizer(gguf: GGUFFile(path: path))
  }

  /// The chat template of a GGUF file or folder.
  public static func template(path: String) throws -> TemplateSource? {
    if path.hasSuffix("/tokenizer.json") { return try template(path: String(path.dropLast("/tokenizer.json".count))) }
    if isFolder(path) { return try ModelFolder(path: path).template() }
    if path.hasSuffix(".json") { return nil }
    return try template(of: GGUFFile(path: path))
  }

  static func template(of file: GGUFFile) throws -> TemplateSource? {
    let key = "tokenizer.chat_template"
    guard let text = try file.string(key) else { return TemplateSource(architecture: try file.string("general.architecture")) }
    return TemplateSource(text: text, toolText: try file.string(key + ".tool_use"), file: file.path)
  }

  /// A tokenizer may name fewer tokens than the model has rows, never more.
  private func checkVocabulary() throws(CheckpointError) {
    if let tokenizer, tokenizer.vocabularySize > configuration.vocabularySize {
      throw CheckpointError(
        file: path, field: "vocabulary",
        reason:
          "the tokenizer has \(tokenizer.vocabularySize) tokens, but the model only \(configuration.vocabularySize) embeddings")
    }
  }
}

extension Tokenizer {
  /// The ids of the tokens before prefix, suffix and middle, under their present names or the older ones; nil unless all are there.
  private static func fillInMiddle(in file: GGUFFile) throws -> [Int]? {
    let names = [("fim_pre", "prefix"), ("fim_suf", "suffix"), ("fim_mid", "middle")]
    let ids = try names.compactMap { present, older in
      try file.integer("tokenizer.ggml.\(present)_token_id") ?? file.integer("tokenizer.ggml.\(older)_token_id")
    }
    return ids.count == names.count ? ids : nil
  }

  /// The tokenizer of a GGUF file.
  /// - Throws: `CheckpointError` or `TokenizerError` naming the key that is missing or broken.
  public convenience init(gguf file: GGUFFile) throws {
    func key(_ name: String) -> String { "tokenizer.ggml.\(name)" }
    func required<Value>(_ name: String, _ value: Value?) throws(CheckpointError) -> Value {
      if let value { return value }
      throw CheckpointError(file: file.path, field: key(name), reason: "is missing; the file has no tokenizer that can be used")
    }
    let model = try required("model", file.string(key("model")))
    let merges = try file.strings(key("merges"))
    try self.init(
      VocabularyDescription(
        model: model, preTokenizer: file.string(key("pre")),
        tokens: required("tokens", file.strings(key("tokens"))),
        tokenTypes: (file.integers(key("token_type")) ?? []).map { Int32(clamping: $0) },
        merges: model == "gpt2" ? required("merges", merges) : merges ?? [],
        beginningOfSequence: file.integer(key("bos_token_id")), endOfSequence: file.integer(key("eos_token_id")),
        furtherEnds: ["eot_token_id", "eom_token_id"].compactMap { try file.integer(key($0)) },
        fillInMiddle: Tokenizer.fillInMiddle(in: file), addsBeginningOfSequence: file.bool(key("add_bos_token")),
        source: file.path))
  }
}

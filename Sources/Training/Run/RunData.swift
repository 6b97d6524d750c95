internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletConversion
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTokenization

/// What a recipe trains on, opened and checked against the model.
struct RunData {
  let sources: [DataSource]
  /// Empty where nothing is evaluated.
  let heldOut: [DataSource]
  /// nil for datasets without a tokenizer.
  let tokenizer: Tokenizer?
  /// Of tokenizer.json.
  let tokenizerJSON: [UInt8]?
  /// The text of the chat template that the recipe names; it goes with the trained model.
  let template: String?
  /// Of the data.
  let vocabularySize: Int

  /// Opens datasets, or trains a tokenizer and packs texts first.
  /// - Parameters:
  ///   - base: the model that training begins with, for its tokenizer and chat template.
  ///   - teacher: whose vocabulary must be that of the data.
  ///   - goesOn: whether the run has a checkpoint; then its tokenizer and data must be as they were.
  ///   - note: told what takes a while.
  init(
    _ recipe: Recipe, base: HubModel?, teacher: Teacher?, goesOn: Bool, threadCount: Int, note: (String) -> Void
  ) throws {
    let tokenizer = try Self.tokenizer(recipe, base: base, goesOn: goesOn, threadCount: threadCount, note: note)
    (self.tokenizer, tokenizerJSON) = (tokenizer?.0, tokenizer?.1)
    template = try Self.namedTemplate(recipe)?.text
    if let tokenizer { try teacher?.checkVocabulary(tokenizer.0, identity: nil, recipe) }
    var folders: [(key: String, folder: String, weight: Double)] = []
    switch recipe.data.source {
    case .datasets(let datasets): folders = datasets.map { ($0.key, recipe.resolved($0.folder), $0.weight) }
    case .text(let text):
      guard let tokenizer = tokenizer?.0 else {
        throw recipe.error("tokenizer", "is missing, expected file (a tokenizer.json) or size (of one to train on the texts)")
      }
      let files = try Self.files(recipe, text.files, key: "data.text")
      let packing = DataPacking(
        files: files, documents: text.documents, tokenizer: tokenizer, heldOutFraction: text.heldOut,
        fillInMiddle: try text.fillInMiddle.map { value throws(RecipeError) in try Self.transform(value, recipe, tokenizer) },
        threadCount: threadCount)
      folders = [("data.text", try Self.pack(packing, recipe, key: "data.text", goesOn: goesOn, note), 1)]
    case .chats(let chats):
      guard let tokenizer = tokenizer?.0 else {
        throw recipe.error(
          "tokenizer", "is missing: neither the recipe nor the model of model.from has one, expected file (a tokenizer.json)")
      }
      let packing = DataPacking(
        files: try Self.files(recipe, chats.files, key: "data.chats"), documents: chats.documents, tokenizer: tokenizer,
        heldOutFraction: chats.heldOut,
        conversations: try Self.conversations(recipe, base, tokenizer),
        maximumTokens: recipe.data.packing == .documents ? recipe.sequenceLength : nil, threadCount: threadCount)
      folders = [("data.chats", try Self.pack(packing, recipe, key: "data.chats", goesOn: goesOn, note), 1)]
    case .answers:
      guard tokenizer != nil else {
        throw recipe.error(
          "tokenizer", "is missing: neither the recipe nor the model of model.from has one, expected file (a tokenizer.json)")
      }
    }
    let identity = tokenizer.map { VocabularyIdentity($0.0) }
    func open(_ split: DataSplit) throws -> [DataSource] {
      try folders.map { key, folder, weight in
        do {
          return DataSource(try TokenDataset(folder: folder, split: split, vocabulary: identity), weight: weight)
        } catch let error as DataError where split == .heldOut && error.kind == .empty {
          throw recipe.error("evaluation", "\(error); hold out a larger share, or leave evaluation out")
        } catch let error as DataError {
          throw recipe.error(key, "\(error)" + (folder == Self.folder(recipe) ? Self.advice(error, folder) : ""))
        }
      }
    }
    sources = try open(.training)
    heldOut = recipe.evaluation.interval > 0 ? try open(.heldOut) : []
    if tokenizer == nil { try teacher?.checkVocabulary(nil, identity: sources.first?.dataset.vocabulary, recipe) }
    vocabularySize = sources.first?.dataset.vocabulary.size ?? tokenizer?.0.vocabularySize ?? 0
  }

  /// Of what a run packs itself.
  private static func folder(_ recipe: Recipe) -> String { recipe.folder + "/data" }

  /// What helps where the run's own data is damaged.
  private static func advice(_ error: DataError, _ folder: String) -> String {
    error.kind == .damaged ? " (remove the folder \(folder), and the run packs it again)" : ""
  }

  /// - Parameter key: of the files, for errors.
  /// - Returns: the folder.
  private static func pack(
    _ packing: DataPacking, _ recipe: Recipe, key: String, goesOn: Bool, _ note: (String) -> Void
  ) throws -> String {
    let folder = Self.folder(recipe), count = packing.files.count
    note("packing \(count) \(count == 1 ? "file" : "files")")
    let summary: DataPacking.Summary
    do {
      summary = try packing.run(to: folder, isReplacing: !goesOn) { _ in try Task.checkCancellation() }
    } catch let error as DataError where goesOn && error.kind == .setting && error.file == folder {
      throw recipe.error(
        key,
        "the run in \(recipe.folder) was begun with other files or other tokens of them, or they changed since; "
          + "go on with those, or choose another folder")
    } catch let error as DataError where error.kind == .damaged {
      throw recipe.error(key, "\(error)\(advice(error, folder))")
    }
    for (kind, count) in summary.skipped.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      note("left out \(count) broken \(count == 1 ? "document" : "documents") (\(kind.rawValue))")
    }
    return folder
  }

  /// The chat template that the recipe names.
  private static func namedTemplate(_ recipe: Recipe) throws(RecipeError) -> TemplateSource? {
    var (key, name) = ("data.template", String?.none)
    if case .chats(let chats) = recipe.data.source { name = chats.template }
    if case .chat(let template)? = recipe.reinforcement?.prompt { (key, name) = ("reinforce.template", template) }
    guard let name else { return nil }
    let file = recipe.resolved(name)
    do throws(CheckpointError) {
      return try TemplateSource(named: FileManager.default.fileExists(atPath: file) ? file : name)
    } catch {
      throw recipe.error(key, "\(error)")
    }
  }

  /// How conversations are written: with the chat template that the recipe names, else the model's own; nil where there is neither.
  private static func conversations(_ recipe: Recipe, _ base: HubModel?, _ tokenizer: Tokenizer) throws -> ConversationFormat? {
    let named = try namedTemplate(recipe)
    do {
      guard let source = try named ?? base.flatMap({ try LoadedModel.template(path: $0.path) }) else { return nil }
      return try ConversationFormat(source, tokenizer: tokenizer)
    } catch {
      let key = recipe.reinforcement == nil ? "data.template" : "reinforce.template"
      throw recipe.error(named == nil ? "model.from" : key, "\(error)")
    }
  }

  /// What reinforcement asks.
  func problems(
    _ recipe: Recipe, _ settings: Recipe.Reinforcement, base: HubModel?, _ configuration: ModelConfiguration
  ) throws -> ProblemSource {
    guard let tokenizer else { throw recipe.error("tokenizer", "is missing") }
    var format: ConversationFormat?
    if case .chat = settings.prompt {
      format = try Self.conversations(recipe, base, tokenizer)
      if format == nil {
        throw recipe.error(
          "reinforce", "the model has no chat template; name one (template), or write how a question is asked (prompt)")
      }
    }
    for case .command(let command) in settings.rewards.map(\.kind) {
      do throws(RewardError) {
        _ = try RewardProcess(command, folder: recipe.resolved(".")).executable()
      } catch {
        throw recipe.error("reinforce.rewards.command.run", error.description)
      }
    }
    let longest = recipe.sequenceLength - settings.maximumTokens
    guard longest > 0 else {
      throw recipe.error(
        "reinforce.max_new_tokens",
        "found \(settings.maximumTokens), expected less than sequence_length, which is \(recipe.sequenceLength)")
    }
    let advised = try base.map { try LoadedModel.advisedEnds(path: $0.path) } ?? []
    let ends = tokenizer.generationEnds.union((configuration.endTokens + advised).compactMap { Int32(exactly: $0) })
    guard !ends.isEmpty else {
      throw recipe.error("reinforce", "the model has no token that ends an answer: name one in config.json (eos_token_id)")
    }
    return try ProblemSource(
      recipe, settings, tokenizer: tokenizer, format: format, endTokens: ends, longestPrompt: longest)
  }

  private static func transform(
    _ fillInMiddle: Recipe.FillInMiddle, _ recipe: Recipe, _ tokenizer: Tokenizer
  ) throws(RecipeError) -> FillInMiddleTransform {
    var tokens = tokenizer.fillInMiddle
    if let names = fillInMiddle.tokens {
      let key = "data.fill_in_middle.tokens"
      let ids = try names.map { name throws(RecipeError) in
        guard let id = tokenizer.id(of: name) else { throw recipe.error(key, "'\(name)' is no token of the tokenizer") }
        return id
      }
      tokens = FillInMiddleTokens(prefix: ids[0], suffix: ids[1], middle: ids[2])
    }
    guard let tokens else {
      throw recipe.error(
        "data.fill_in_middle", "the tokenizer has no tokens that are known to be for it; name them: tokens, a list of three")
    }
    return FillInMiddleTransform(tokens: tokens, rate: fillInMiddle.rate, seed: recipe.seed)
  }

  /// - Parameters:
  ///   - base: the model that training begins with, for its tokenizer.
  ///   - goesOn: whether the run has a checkpoint, and a tokenizer that was trained.
  static func tokenizer(
    _ recipe: Recipe, base: HubModel?, goesOn: Bool, threadCount: Int, note: (String) -> Void
  ) throws -> (Tokenizer, [UInt8])? {
    func read(_ path: String, key: String) throws -> (Tokenizer, [UInt8]) {
      let bytes: [UInt8]
      do throws(CheckpointError) {
        bytes = try RegularFile(path: path).bytes()
      } catch {
        throw recipe.error(key, "\(path) \(error.reason), expected a tokenizer.json")
      }
      do {
        return (try Tokenizer(tokenizerJSON: bytes, source: path), bytes)
      } catch {
        throw recipe.error(key, "\(error)")
      }
    }
    switch recipe.tokenizer {
    case .file(let path): return try read(recipe.resolved(path), key: "tokenizer.file")
    case .trained(let size, let preTokenizer):
      guard case .text(let text) = recipe.data.source else {
        throw recipe.error(
          "tokenizer.size", "a tokenizer is trained on texts alone; name the datasets' tokenizer.json as tokenizer.file")
      }
      if goesOn { return try read(recipe.folder + "/tokenizer.json", key: "tokenizer") }
      note("training a tokenizer of \(size) tokens")
      let words = try WordCounts.counting(
        files: files(recipe, text.files, key: "data.text"), options: text.documents, preTokenizer: preTokenizer, byLine: false,
        threadCount: threadCount
      ) { _ in try Task.checkCancellation() }.words
      let json = try BytePairTraining(vocabularySize: size).vocabulary(of: words) { _ in try Task.checkCancellation() }
        .tokenizerJSON().serialized()
      let bytes = Array((json + "\n").utf8)
      return (try Tokenizer(tokenizerJSON: bytes, source: "tokenizer"), bytes)
    case nil:
      do {
        guard let base, let json = try base.tokenizerJSON() else { return nil }
        return (try LoadedModel.tokenizer(path: base.path), json)
      } catch {
        throw recipe.error("model.from", "\(error)")
      }
    }
  }

  /// The files that patterns name, each once, in the patterns' order and then by name.
  static func files(_ recipe: Recipe, _ patterns: [String], key: String) throws(RecipeError) -> [String] {
    var result: [String] = [], seen: Set<String> = []
    for pattern in patterns {
      let path = recipe.resolved(pattern)
      let names = FileManager.default.fileExists(atPath: path) ? [path] : matches(recipe, pattern)
      if names.isEmpty { throw recipe.error(key, "found no file \(path)") }
      for name in names where seen.insert(name).inserted {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: name, isDirectory: &isFolder), !isFolder.boolValue else {
          throw recipe.error(key, "\(name) is a folder, expected files, such as \(name)/*.txt")
        }
        result.append(name)
      }
    }
    return result
  }

  /// What a pattern names. Signs of patterns in the path of the recipe's own folder are only letters of it.
  private static func matches(_ recipe: Recipe, _ pattern: String) -> [String] {
    let folder = pattern.hasPrefix("/") ? "" : recipe.resolved("")
    let escaped = folder.reduce(into: "") { $0 += "*?[\\".contains($1) ? "\\\($1)" : String($1) }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(escaped + pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { index in found.gl_pathv[index].map { String(cString: $0) } }
  }
}

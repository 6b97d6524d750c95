internal import Foundation
internal import SwiftletCheckpoints
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
  /// Of the data.
  let vocabularySize: Int

  /// Opens datasets, or trains a tokenizer and packs texts first.
  /// - Parameters:
  ///   - goesOn: whether the run has a checkpoint; then its tokenizer and data must be as they were.
  ///   - note: told what takes a while.
  init(_ recipe: Recipe, goesOn: Bool, threadCount: Int, note: (String) -> Void) throws {
    let tokenizer = try Self.tokenizer(recipe, goesOn: goesOn, threadCount: threadCount, note: note)
    (self.tokenizer, tokenizerJSON) = (tokenizer?.0, tokenizer?.1)
    let folders: [(key: String, folder: String, weight: Double)]
    switch recipe.data.source {
    case .datasets(let datasets): folders = datasets.map { ($0.key, recipe.resolved($0.folder), $0.weight) }
    case .text(let text):
      guard let tokenizer = tokenizer?.0 else {
        throw recipe.error("tokenizer", "is missing, expected file (a tokenizer.json) or size (of one to train on the texts)")
      }
      let files = try Self.files(recipe, text.files)
      let packing = DataPacking(
        files: files, documents: text.documents, tokenizer: tokenizer, heldOutFraction: text.heldOut,
        fillInMiddle: try text.fillInMiddle.map { value throws(RecipeError) in try Self.transform(value, recipe, tokenizer) },
        threadCount: threadCount)
      let folder = recipe.folder + "/data"
      note("packing \(files.count) \(files.count == 1 ? "file" : "files")")
      _ = try packing.run(to: folder, isReplacing: !goesOn) { _ in try Task.checkCancellation() }
      folders = [("data.text", folder, 1)]
    }
    let identity = tokenizer.map { VocabularyIdentity($0.0) }
    func open(_ split: DataSplit) throws -> [DataSource] {
      try folders.map { key, folder, weight in
        do {
          return DataSource(try TokenDataset(folder: folder, split: split, vocabulary: identity), weight: weight)
        } catch let error as DataError where split == .heldOut && error.kind == .empty {
          throw recipe.error("evaluation", "\(error); hold out a larger share, or leave evaluation out")
        } catch let error as DataError {
          throw recipe.error(key, "\(error)")
        }
      }
    }
    sources = try open(.training)
    heldOut = recipe.evaluation.interval > 0 ? try open(.heldOut) : []
    vocabularySize = sources.first?.dataset.vocabulary.size ?? 0
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

  private static func tokenizer(
    _ recipe: Recipe, goesOn: Bool, threadCount: Int, note: (String) -> Void
  ) throws -> (Tokenizer, [UInt8])? {
    func read(_ path: String, key: String) throws -> (Tokenizer, [UInt8]) {
      guard let bytes = FileManager.default.contents(atPath: path) else {
        throw recipe.error(key, "\(path) cannot be read, expected a tokenizer.json")
      }
      do {
        return (try Tokenizer(tokenizerJSON: Array(bytes), source: path), Array(bytes))
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
        files: files(recipe, text.files), options: text.documents, preTokenizer: preTokenizer, byLine: false,
        threadCount: threadCount
      ) { _ in try Task.checkCancellation() }.words
      let json = try BytePairTraining(vocabularySize: size).vocabulary(of: words) { _ in try Task.checkCancellation() }
        .tokenizerJSON().serialized()
      let bytes = Array((json + "\n").utf8)
      return (try Tokenizer(tokenizerJSON: bytes, source: "tokenizer"), bytes)
    case nil:
      guard case .checkpoint(let folder) = recipe.model else { return nil }
      let path = recipe.resolved(folder) + "/tokenizer.json"
      return FileManager.default.fileExists(atPath: path) ? try read(path, key: "model.from") : nil
    }
  }

  /// The files that patterns name, each once, in the patterns' order and then by name.
  static func files(_ recipe: Recipe, _ patterns: [String]) throws(RecipeError) -> [String] {
    var result: [String] = [], seen: Set<String> = []
    for pattern in patterns {
      var found = glob_t()
      defer { globfree(&found) }
      let path = recipe.resolved(pattern)
      guard glob(path, 0, nil, &found) == 0 else {
        throw recipe.error("data.text", "found no file \(path)")
      }
      for index in 0..<Int(found.gl_pathc) {
        guard let name = found.gl_pathv[index].map({ String(cString: $0) }), seen.insert(name).inserted else { continue }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: name, isDirectory: &isFolder), !isFolder.boolValue else {
          throw recipe.error("data.text", "\(name) is a folder, expected files, such as \(name)/*.txt")
        }
        result.append(name)
      }
    }
    return result
  }
}

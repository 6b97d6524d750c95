import Foundation

/// Which of a repository's files make a model that can be run.
struct ModelFiles: Equatable {
  enum Format: Equatable { case gguf, safetensors }
  var format: Format
  /// As the file names give it, in capitals; nil for safetensors.
  var quantization: String?
  /// Relative paths; the parts of a split GGUF file in order.
  var paths: [String]
  /// Parts of the split that the listing lacks.
  var missing: [String] = []

  /// What is read beside the weights of a safetensors model, where it is there.
  private static let companions = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json", "model.safetensors.index.json",
  ]

  /// The best first: four-bit with mixed blocks, then near it in size, then larger ones.
  private static let preference = [
    "Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "Q5_K_M", "Q5_K_S", "Q5_0", "Q5_1", "Q6_K", "Q8_0", "BF16", "F16", "FP16", "F32",
  ]

  /// How the names of quantizations begin that are made of types not read yet, alone or mixed with others.
  private static let unread = [
    "Q1", "IQ1", "IQ2", "IQ3", "UD-IQ1", "UD-IQ2", "UD-IQ3", "TQ", "UD-TQ", "MXFP", "NVFP",
  ]

  /// Why these files cannot be run yet; nil when nothing is known against it.
  var obstacle: String? {
    guard format == .gguf else { return nil }
    guard let quantization, Self.unread.contains(where: quantization.hasPrefix) else { return nil }
    return "GGUF types of \(quantization) are not read"
  }

  /// Chooses among a repository's files.
  /// - Parameters:
  ///   - quantization: as in `Q4_K_M`, or a file's name; nil for the preferred one.
  ///   - place: what the error calls the repository.
  static func select(from paths: [String], quantization: String?, place: String) throws(HubError) -> ModelFiles {
    let variants = ggufVariants(in: paths)
    if let quantization {
      let matches = variants.filter { $0.matches(quantization) }
      if let choice = matches.first(where: \.missing.isEmpty) ?? matches.first { return try choice.complete() }
      let available = variants.compactMap(\.quantization)
      if available.isEmpty { throw .noModelFiles(place: "\(place) (\(quantization))", found: paths) }
      throw .quantizationNotFound(quantization, place: place, available: available)
    }
    func rank(_ variant: ModelFiles) -> Int {
      (variant.missing.isEmpty ? 0 : 1000) + (variant.obstacle == nil ? 0 : 100)
        + (preference.firstIndex { variant.matches($0) } ?? 50)
    }
    if let choice = variants.min(by: { rank($0) < rank($1) }) { return try choice.complete() }
    if let choice = safetensors(in: paths) { return try choice.complete() }
    throw .noModelFiles(place: place, found: paths)
  }

  /// All models among the files: each quantization, or the safetensors.
  static func all(in paths: [String]) -> [ModelFiles] {
    ggufVariants(in: paths) + (safetensors(in: paths).map { [$0] } ?? [])
  }

  private func complete() throws(HubError) -> ModelFiles {
    guard missing.isEmpty else { throw .incompleteSplit(file: paths.first ?? "", missing: missing) }
    return self
  }

  func matches(_ name: String) -> Bool {
    let name = name.uppercased()
    return quantization == name || quantization == "UD-" + name
      || paths.contains { $0.uppercased() == name || ($0 as NSString).lastPathComponent.uppercased() == name }
  }

  // MARK: GGUF

  static func ggufVariants(in paths: [String]) -> [ModelFiles] {
    let files = paths.filter { path in
      let name = (path as NSString).lastPathComponent.lowercased()
      // Projectors of vision models and importance matrices carry the ending too.
      return name.hasSuffix(".gguf") && !name.hasPrefix("mmproj") && !name.contains("imatrix")
    }
    var variants: [ModelFiles] = []
    var splits: Set<String> = []
    for path in files.sorted() {
      guard let part = SplitName(path) else {
        variants.append(ModelFiles(format: .gguf, quantization: quantization(ofFile: path), paths: [path]))
        continue
      }
      guard splits.insert(part.name(1)).inserted else { continue }
      let (found, missing) = part.parts(among: files)
      variants.append(
        ModelFiles(format: .gguf, quantization: quantization(ofFile: part.prefix), paths: found, missing: missing))
    }
    return variants
  }

  /// `Q4_K_M` of `folder/Model-1.5B-Q4_K_M.gguf`: the last part of the file's name that is a block format, else of its folders', else
  /// the file's name.
  static func quantization(ofFile path: String) -> String {
    let stem = path.lowercased().hasSuffix(".gguf") ? String(path.dropLast(5)) : path
    for component in stem.uppercased().split(separator: "/").reversed() {
      let parts = component.split { $0 == "-" || $0 == "." }
      for (index, part) in parts.enumerated().reversed() {
        let words = part.split(separator: "_")
        guard let first = words.firstIndex(where: { isBlockFormat($0) }) else { continue }
        let label = words[first...].joined(separator: "_")
        return index > 0 && parts[index - 1] == "UD" ? "UD-" + label : label
      }
    }
    return (stem as NSString).lastPathComponent.uppercased()
  }

  private static func isBlockFormat(_ word: Substring) -> Bool {
    if ["BF16", "F16", "FP16", "F32", "FP32", "MXFP4", "NVFP4"].contains(word) { return true }
    guard let digit = word.last, ("1"..."8").contains(digit) else { return false }
    return ["Q", "IQ", "TQ"].contains(word.dropLast())
  }

  // MARK: Safetensors

  private static func safetensors(in paths: [String]) -> ModelFiles? {
    guard paths.contains("config.json") else { return nil }
    let shards = paths.sorted().compactMap { path in
      path.hasPrefix("model-") && path.hasSuffix(".safetensors") ? SplitName(path) : nil
    }
    var weights = paths.filter { $0 == "model.safetensors" }
    var missing: [String] = []
    if weights.isEmpty, let shard = shards.first { (weights, missing) = shard.parts(among: paths) }
    guard !weights.isEmpty else { return nil }
    return ModelFiles(
      format: .safetensors, paths: companions.filter { paths.contains($0) } + weights, missing: missing)
  }
}

/// A name such as `folder/model-00001-of-00163.gguf`, of one part of several.
struct SplitName {
  /// Up to the hyphen before the number.
  let prefix: String
  let count: Int
  private let numberWidth: Int
  private let countText: String
  private let ending: String

  init?(_ path: String) {
    guard let dot = path.lastIndex(of: ".") else { return nil }
    let fields = path[..<dot].split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count >= 4, fields[fields.count - 2] == "of" else { return nil }
    let number = fields[fields.count - 3]
    let total = fields[fields.count - 1]
    func isNumber(_ text: Substring) -> Bool {
      (5...6).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
    guard isNumber(number), isNumber(total), let index = Int(number), let count = Int(total), index >= 1, index <= count,
      // No model has more; a hostile name should not make a list of a million missing files.
      count <= 10_000
    else { return nil }
    prefix = fields[..<(fields.count - 3)].joined(separator: "-")
    self.count = count
    numberWidth = number.utf8.count
    countText = String(total)
    ending = String(path[dot...])
  }

  /// The name of a part, counted from 1.
  func name(_ index: Int) -> String {
    let digits = String(index)
    let zeros = String(repeating: "0", count: max(numberWidth - digits.utf8.count, 0))
    return "\(prefix)-\(zeros)\(digits)-of-\(countText)\(ending)"
  }

  /// All parts in order, those among the paths and those that are not.
  func parts(among paths: [String]) -> (found: [String], missing: [String]) {
    let paths = Set(paths)
    let names = (1...count).map(name)
    return (names.filter(paths.contains), names.filter { !paths.contains($0) })
  }
}

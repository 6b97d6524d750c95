internal import Foundation

/// The parts of a model's name, as llama.cpp's converter guesses them from the name of a repository or folder
/// (gguf-py, metadata.py): `DeepSeek-R1-Distill-Qwen-1.5B` is a base name, a finetune and a size.
struct ModelName: Equatable {
  /// As people read it.
  var title: String
  var organization: String?
  var basename: String?
  var finetune: String?
  var version: String?
  var sizeLabel: String?

  /// - Parameters:
  ///   - path: `_name_or_path` of config.json; it counts when it is no path of a file system.
  ///   - parameters: of the model; a number in the name that is far from it is no size.
  static func of(path: String?, folder: String, parameters: Int) -> ModelName {
    let fromFolder = ModelName(folder, parameters: parameters)
    guard let path, !path.isEmpty, path.filter({ $0 == "/" }).count <= 1 else { return fromFolder }
    let own = ModelName(path, parameters: parameters)
    return ModelName(
      title: own.title, organization: own.organization ?? fromFolder.organization, basename: own.basename ?? fromFolder.basename,
      finetune: own.finetune ?? fromFolder.finetune, version: own.version ?? fromFolder.version,
      sizeLabel: own.sizeLabel ?? fromFolder.sizeLabel)
  }

  private enum Kind {
    case basename
    case sizeLabel
    case finetune
    case version
    case type
  }

  private init(
    title: String, organization: String?, basename: String?, finetune: String?, version: String?, sizeLabel: String?
  ) {
    self.title = title
    self.organization = organization
    self.basename = basename
    self.finetune = finetune
    self.version = version
    self.sizeLabel = sizeLabel
  }

  /// - Parameter identifier: `org/name` or a name.
  init(_ identifier: String, parameters: Int) {
    self.init(title: identifier, organization: nil, basename: nil, finetune: nil, version: nil, sizeLabel: nil)
    // A name with spaces is no identifier.
    if identifier.contains(" ") {
      title = Self.title(identifier)
      return
    }
    let halves = identifier.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if halves.count == 2, !halves[0].hasPrefix(".") { organization = Self.title(halves[0]) }
    let name = halves[halves.count - 1]
    title = Self.title(name)
    var parts = name.split(separator: "-").map(String.init)
    var kinds = parts.map { _ in Set<Kind>() }
    for index in parts.indices { Self.annotate(&parts[index], &kinds[index], isFirst: index == 0, parameters) }
    // Sizes in words do not count beside one in numbers.
    if zip(parts, kinds).contains(where: { $1.contains(.sizeLabel) && $0.contains(where: \.isNumber) }) {
      for index in parts.indices where parts[index].allSatisfy(\.isLetter) { kinds[index].remove(.sizeLabel) }
    }
    var isStart = true
    for index in parts.indices {
      if isStart, (kinds[index].isEmpty && parts[index].first?.isLetter == true) || kinds[index].contains(.version) {
        kinds[index].insert(.basename)
      } else {
        isStart = false
        if kinds[index].isEmpty { kinds[index].insert(.finetune) }
      }
    }
    for index in parts.indices.reversed() {
      guard kinds[index].contains(.basename), kinds[index].count > 1 else { break }
      kinds[index].remove(.basename)
    }
    func joined(_ isPart: (Set<Kind>) -> Bool) -> String? {
      let chosen = zip(parts, kinds).filter { isPart($1) }.map(\.0)
      return chosen.isEmpty ? nil : chosen.joined(separator: "-")
    }
    finetune = joined { $0.contains(.finetune) }
    version = joined { $0.contains(.version) && !$0.contains(.basename) }
    var sizes: [String] = []
    for (part, kind) in zip(parts, kinds) where kind.contains(.sizeLabel) && !sizes.contains(part) { sizes.append(part) }
    sizeLabel = sizes.isEmpty ? nil : sizes.joined(separator: "-")
    // A base name alone says too little.
    basename = sizeLabel == nil && finetune == nil && version == nil ? nil : joined { $0.contains(.basename) }
  }

  private static func annotate(_ part: inout String, _ kinds: inout Set<Kind>, isFirst: Bool, _ parameters: Int) {
    func matches(_ pattern: String) -> Bool {
      part.range(of: "^(?:\(pattern))$", options: [.regularExpression, .caseInsensitive]) != nil
    }
    if matches(#"(v|iter)?\d+([.]\d+)*"#) {
      kinds.insert(.version)
    } else if matches(#"i?q\d(_\w)*|b?fp?(16|32)"#) {
      kinds.insert(.type)
      part = part.uppercased()
    } else if !isFirst, matches(#"(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)"#) {
      part = part.replacing("_", with: ".")
      // `7b1` is 7.1B.
      if let last = part.last, last.isNumber, part.count > 2 {
        let unit = part.dropLast().suffix(1)
        part = part.dropLast(2) + ".\(last)\(unit)"
      }
      if part.count > 1, part.dropLast().last?.isNumber == true, let unit = part.last, "kmbt".contains(unit) {
        part = part.dropLast() + unit.uppercased()
      }
      if parameters > 0, let unit = part.last, let power = Array(" KMBT").firstIndex(of: unit),
        let number = Double(part.dropLast()),
        abs(number * pow(1000, Double(power)) - Double(parameters)) > Double(7 * parameters / 8)
      {
        // More likely a context's length.
        kinds.insert(.finetune)
        part = part.dropLast() + unit.lowercased()
      }
      if kinds.isEmpty { kinds.insert(.sizeLabel) }
    } else if !isFirst, matches("chat|instruct|vision|lora") {
      kinds.insert(.finetune)
    }
  }

  /// `tiny-llama` is `Tiny Llama`; what has capitals, versions and numbers stay as they are.
  private static func title(_ name: String) -> String {
    name.replacing("-", with: " ").split(separator: " ").map { word in
      let isLowercase = word.contains(where: \.isLowercase) && !word.contains(where: \.isUppercase)
      let isVersion = word.range(of: #"^(v\d+(?:\.\d+)*|\d.*)$"#, options: .regularExpression) != nil
      return isLowercase && !isVersion ? titled(word) : String(word)
    }.joined(separator: " ")
  }

  /// A capital wherever letters begin.
  private static func titled(_ word: Substring) -> String {
    var result = "", wasLetter = false
    for character in word {
      result += wasLetter ? String(character) : character.uppercased()
      wasLetter = character.isLetter
    }
    return result
  }

  /// `1.5B`, `135M`, `42K`: two digits or more.
  static func rounded(_ parameters: Int) -> String {
    let (scale, suffix): (Double, String) =
      parameters > 1_000_000_000_000
      ? (1e-12, "T") : parameters > 1_000_000_000 ? (1e-9, "B") : parameters > 1_000_000 ? (1e-6, "M") : (1e-3, "K")
    let value = Double(parameters) * scale
    let whole = Int(value.rounded(.toNearestOrEven))
    let digits = whole == 0 ? 0 : String(whole).count
    return String(format: "%.\(max(2 - digits, 0))f", value) + suffix
  }
}

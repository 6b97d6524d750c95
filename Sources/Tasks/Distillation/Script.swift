/// Kinds of writing, to find thoughts that mix languages.
public enum Script: String, Sendable, CaseIterable {
  case latin
  case han
  case other

  static func isHan(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF: true
    default: false
    }
  }

  /// Letters of another script than the most used one, as a share of all, that a text may have.
  static let tolerance = 0.1

  /// What a text is written in. Letters in code, formulas and tags do not count.
  enum Writing: Equatable {
    /// There are no letters.
    case none
    case one(Script)
    case mixed
  }

  static func writing(of text: String) -> Writing {
    var counts: [Script: Int] = [:]
    for scalar in prose(text).unicodeScalars where scalar.properties.isAlphabetic {
      let script: Script = isHan(scalar) ? .han : scalar.value < 0x250 ? .latin : .other
      counts[script, default: 0] += 1
    }
    let all = counts.values.reduce(0, +)
    guard let (script, count) = counts.max(by: { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }) else {
      return .none
    }
    return Double(all - count) <= tolerance * Double(all) ? .one(script) : .mixed
  }

  /// The text without fenced code, formulas between dollar signs, tags, and words behind a backslash.
  private static func prose(_ text: String) -> String {
    var result = ""
    for (index, part) in text.split(separator: "```", omittingEmptySubsequences: false).enumerated() where index % 2 == 0 {
      for (index, part) in part.split(separator: "$", omittingEmptySubsequences: false).enumerated() where index % 2 == 0 {
        var isTag = false, isCommand = false
        for character in part {
          switch character {
          case "<": isTag = true
          case ">": isTag = false
          case "\\": isCommand = true
          default:
            if isCommand, !character.isLetter { isCommand = false }
            if !isTag, !isCommand { result.append(character) }
          }
          if character.isNewline { (isTag, isCommand) = (false, false) }
        }
      }
    }
    return result
  }
}

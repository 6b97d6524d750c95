/// Finds where the last tokens of a text stood before, and what followed them there.
/// Source: Saxena 2023, "Prompt Lookup Decoding".
struct PromptLookup {
  private struct Triple: Hashable {
    var first: Int32
    var second: Int32
    var third: Int32
  }

  private var tokens: [Int32] = []
  /// The position behind the last place of each three tokens, but for the three that end the text.
  private var places: [Triple: Int] = [:]

  mutating func append(_ token: Int32) {
    if let ending { places[ending] = tokens.count }
    tokens.append(token)
  }

  private var ending: Triple? {
    guard tokens.count >= 3 else { return nil }
    return Triple(first: tokens[tokens.count - 3], second: tokens[tokens.count - 2], third: tokens[tokens.count - 1])
  }

  /// What followed the last three tokens where they stood before; where that reaches the end, it goes on as it began.
  /// - Returns: `count` tokens; none when the three are new.
  func continuation(_ count: Int) -> [Int32] {
    guard let ending, let place = places[ending] else { return [] }
    let period = tokens.count - place
    return (0..<count).map { tokens[place + $0 % period] }
  }
}

/// How often a letter stands in words, or a word in a list.
public struct Counting: TaskFamily {
  public init() {}

  public let name = "counting"
  public let summary = "Counts letters in words, or words in a list."

  private func count(_ difficulty: Int) -> Int { 2 + difficulty }

  public func dials(difficulty: Int) -> String { "letters of \(count(difficulty)) words, or a word among \(4 + 3 * difficulty)" }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    random.chance(percent: 60) ? letters(difficulty, &random) : words(difficulty, &random)
  }

  private func letters(_ difficulty: Int, _ random: inout TaskRandom) -> Problem {
    let words = Array(random.shuffled(WordList.nouns).prefix(count(difficulty)))
    // Mostly a letter that is there.
    let letter =
      random.chance(percent: 85) ? random.element(Array(words.joined())) : random.element(Array("abcdefghijklmnopqrstuvwxyz"))
    var total = 0, steps = ["Word by word, letter by letter:"]
    for word in words {
      let found = word.filter { $0 == letter }.count
      let spelled = word.map { $0 == letter ? "[\($0)]" : "\($0)" }.joined(separator: " ")
      steps.append("\(word): \(spelled) has \(found), \(total) + \(found) = \(total + found)")
      total += found
    }
    steps.append("So '\(letter)' stands there \(total) times")
    let text = words.joined(separator: " ")
    return Problem(
      question: "How many times does the letter '\(letter)' appear in \"\(text)\"?", answer: "\(total)", grader: .number,
      reasoning: steps.joined(separator: "\n"), key: "\(letter): \(text)")
  }

  private func words(_ difficulty: Int, _ random: inout TaskRandom) -> Problem {
    let kinds = Array(random.shuffled(WordList.nouns).prefix(4)), wanted = kinds[0]
    let words = (0..<(4 + 3 * difficulty)).map { _ in random.element(kinds) }
    var total = 0
    let counted = words.map { word in
      if word != wanted { return word }
      total += 1
      return "\(word) (\(total))"
    }
    let steps = ["Go through the list:", counted.joined(separator: ", "), "So '\(wanted)' is there \(total) times"]
    let text = words.joined(separator: ", ")
    return Problem(
      question: "How many times is \"\(wanted)\" in this list? \(text)", answer: "\(total)", grader: .number,
      reasoning: steps.joined(separator: "\n"), key: "\(wanted): \(text)")
  }
}

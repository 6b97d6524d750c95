/// Numbers or words in their order.
public struct Sorting: TaskFamily {
  public init() {}

  public let name = "sorting"
  public let summary = "Sorts numbers or words."

  private func dials(_ difficulty: Int) -> (count: Int, largest: Int) { (3 + difficulty, difficulty < 4 ? 99 : 999) }

  public func dials(difficulty: Int) -> String {
    let (count, largest) = dials(difficulty)
    return "\(count) numbers up to \(largest), or as many words"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let (count, largest) = dials(difficulty), isDescending = random.chance(percent: 40), isWords = random.chance(percent: 40)
    let elements: [String], sorted: [String]
    if isWords {
      elements = Array(random.shuffled(WordList.nouns).prefix(count))
      let ascending = elements.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      sorted = isDescending ? ascending.reversed() : ascending
    } else {
      let numbers = (0..<count).map { _ in random.integer(0...largest) }
      elements = numbers.map { "\($0)" }
      sorted = numbers.sorted(by: isDescending ? { $0 > $1 } : { $0 < $1 }).map { "\($0)" }
    }
    // One after the other into its place: what is sorted so far stands in the step before, and a place is found by comparing two.
    var steps = ["Put one after the other in its place:"]
    for count in 1...elements.count {
      var rest = elements.prefix(count)
      let placed = sorted.filter { element in
        guard let index = rest.firstIndex(of: element) else { return false }
        rest.remove(at: index)
        return true
      }
      steps.append("\(elements[count - 1]): \(placed.joined(separator: ", "))")
    }
    let answer = sorted.joined(separator: ", ")
    steps.append("So the order is \(answer)")
    let order =
      isWords
      ? (isDescending ? "in reverse alphabetical order" : "in alphabetical order")
      : isDescending ? "from the largest to the smallest" : "from the smallest to the largest"
    let list = elements.joined(separator: ", ")
    return Problem(
      question: "Sort these \(isWords ? "words" : "numbers") \(order): \(list). Answer with the list, separated by commas.",
      answer: answer, grader: .list, reasoning: steps.joined(separator: "\n"), key: "\(order): \(list)")
  }
}

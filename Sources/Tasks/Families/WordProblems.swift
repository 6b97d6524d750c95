/// Small stories with numbers, in English and in Chinese.
public struct WordProblems: TaskFamily {
  public init() {}

  public let name = "word-problems"
  public let summary = "Solves small stories with numbers, in English and Chinese."

  private func dials(_ difficulty: Int) -> (events: Int, largest: Int) { (1 + (difficulty + 1) / 2, 10 + 10 * difficulty) }

  public func dials(difficulty: Int) -> String {
    let (events, largest) = dials(difficulty)
    return "\(events) steps with numbers up to \(largest), English or Chinese"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let language: Problem.Language = random.chance(percent: 50) ? .english : .chinese
    let (events, largest) = dials(difficulty)
    let story =
      switch random.integer(0...2) {
      case 0: Self.collection(events, largest, language, &random)
      case 1: Self.shopping(events, largest, language, &random)
      default: Self.journey(events, largest, language, &random)
      }
    let end = language == .english ? "So the answer is \(story.answer)" : "所以答案是 \(story.answer)"
    return Problem(
      question: story.text, answer: "\(story.answer)", grader: .number, reasoning: (story.steps + [end]).joined(separator: "\n"),
      key: story.key, language: language)
  }

  private struct Story {
    var text: String
    var steps: [String]
    var answer: Int
    /// What happens, whatever the language, names and things.
    var key: String
  }

  private static let people = [("Anna", "小红"), ("Ben", "小明"), ("Clara", "小丽"), ("David", "小刚"), ("Emma", "小芳"), ("Li Wei", "李伟")]
  private static let things = [
    ("marbles", "颗弹珠"), ("stickers", "张贴纸"), ("apples", "个苹果"), ("coins", "枚硬币"), ("books", "本书"), ("pencils", "支铅笔"),
  ]

  /// Something grows and shrinks.
  private static func collection(
    _ events: Int, _ largest: Int, _ language: Problem.Language, _ random: inout TaskRandom
  ) -> Story {
    let isEnglish = language == .english
    let person = random.element(people), thing = random.element(things)
    let name = isEnglish ? person.0 : person.1, unit = isEnglish ? thing.0 : thing.1
    var count = random.integer(5...largest), key = "collection \(count)", steps: [String] = []
    var sentences = [isEnglish ? "\(name) has \(count) \(unit)." : "\(name)有 \(count) \(unit)。"]
    for _ in 0..<events {
      let amount = random.integer(2...max(3, largest / 2)), before = count
      let pronoun = isEnglish ? name : "\(name)"
      switch random.integer(0...3) {
      case 0 where count > amount:
        count -= amount
        sentences.append(isEnglish ? "Then \(pronoun) gives away \(amount)." : "然后\(pronoun)送出 \(amount)\(unit.prefix(1))。")
        steps.append("\(before) - \(amount) = \(count)")
        key += " -\(amount)"
      case 1 where count <= 1000:
        let factor = random.integer(2...3)
        count *= factor
        sentences.append(
          isEnglish
            ? "Then \(pronoun) gets enough to have \(factor == 2 ? "twice" : "three times") as many."
            : "然后数量变成原来的 \(factor) 倍。")
        steps.append("\(before) * \(factor) = \(count)")
        key += " *\(factor)"
      case 2 where (2...9).contains { count % $0 == 0 }:
        let divisor = random.element((2...9).filter { count % $0 == 0 })
        count /= divisor
        sentences.append(
          isEnglish
            ? "Then \(pronoun) shares them equally among \(divisor) boxes and keeps one box."
            : "然后\(pronoun)把它们平均分到 \(divisor) 个盒子里，只留下一盒。")
        steps.append("\(before) / \(divisor) = \(count)")
        key += " /\(divisor)"
      default:
        count += amount
        sentences.append(isEnglish ? "Then \(pronoun) finds \(amount) more." : "然后\(pronoun)又得到 \(amount)\(unit.prefix(1))。")
        steps.append("\(before) + \(amount) = \(count)")
        key += " +\(amount)"
      }
    }
    sentences.append(isEnglish ? "How many \(unit) does \(name) have now?" : "\(name)现在有多少\(unit)？")
    return Story(text: sentences.joined(separator: isEnglish ? " " : ""), steps: steps, answer: count, key: key)
  }

  /// Several things are paid with one note.
  private static func shopping(
    _ events: Int, _ largest: Int, _ language: Problem.Language, _ random: inout TaskRandom
  ) -> Story {
    let isEnglish = language == .english
    let person = random.element(people), name = isEnglish ? person.0 : person.1
    let goods = Array(random.shuffled(things).prefix(min(events, things.count)))
    var total = 0, key = "shopping", steps: [String] = [], items: [String] = []
    for thing in goods {
      let count = random.integer(2...12), price = random.integer(2...max(5, largest / 2)), cost = count * price
      items.append(
        isEnglish ? "\(count) \(thing.0) at \(price) dollars each" : "\(count) \(thing.1)，每\(thing.1.prefix(1)) \(price) 元")
      steps.append("\(count) * \(price) = \(cost)")
      if total > 0 { steps.append("\(total) + \(cost) = \(total + cost)") }
      total += cost
      key += " \(count)*\(price)"
    }
    let paid = (total / 50 + 1) * 50 + 50 * random.integer(0...2)
    steps.append("\(paid) - \(total) = \(paid - total)")
    let text =
      isEnglish
      ? "\(name) buys \(items.joined(separator: ", and ")). \(name) pays with \(paid) dollars. How many dollars of change are there?"
      : "\(name)买了 \(items.joined(separator: "；"))。\(name)付了 \(paid) 元。应找回多少元？"
    return Story(text: text, steps: steps, answer: paid - total, key: key + " \(paid)")
  }

  /// Parts of a way at different speeds.
  private static func journey(
    _ events: Int, _ largest: Int, _ language: Problem.Language, _ random: inout TaskRandom
  ) -> Story {
    let isEnglish = language == .english
    var total = 0, key = "journey", steps: [String] = [], parts: [String] = []
    for _ in 0..<events {
      let hours = random.integer(1...9), speed = random.integer(5...(largest + 20)), way = hours * speed
      parts.append(
        isEnglish ? "\(hours) hours at \(speed) kilometres an hour" : "以每小时 \(speed) 千米的速度行驶 \(hours) 小时")
      steps.append("\(speed) * \(hours) = \(way)")
      if total > 0 { steps.append("\(total) + \(way) = \(total + way)") }
      total += way
      key += " \(hours)*\(speed)"
    }
    let rest = random.integer(10...(largest * 5))
    steps.append("\(total) + \(rest) = \(total + rest)")
    let text =
      isEnglish
      ? "A train travels \(parts.joined(separator: ", then ")). Then \(rest) kilometres are left. How many kilometres long is the whole way?"
      : "一列火车\(parts.joined(separator: "，然后"))，这时还剩 \(rest) 千米。全程多少千米？"
    return Story(text: text, steps: steps, answer: total + rest, key: key + " \(rest)")
  }
}

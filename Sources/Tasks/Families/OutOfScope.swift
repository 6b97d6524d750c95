/// Questions of no family, to teach a small model to say that it cannot answer. Not among `TaskFamilies.all`: a model that knows more
/// may well answer them.
public struct OutOfScope: TaskFamily {
  public init() {}

  public let name = "out-of-scope"
  public let summary = "Is asked something else, and says that it cannot answer."

  public func dials(difficulty: Int) -> String {
    "questions of everyday life and of other mathematics, in English or Chinese; the same at every difficulty"
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let language: Problem.Language = random.chance(percent: 70) ? .english : .chinese
    let key = Self.filled(random.element(language == .english ? Self.english : Self.chinese), &random)
    // As people type; the same question for the splits.
    var question = key
    if random.chance(percent: 20) { question = question.lowercased() }
    if random.chance(percent: 20), let last = question.last, last.isPunctuation { question.removeLast() }
    switch language {
    case .english:
      return Problem(
        question: question, answer: "I cannot answer that", grader: .exact,
        reasoning: "This is no problem of a kind that I have learned.", key: key.lowercased(), language: language)
    case .chinese:
      return Problem(
        question: question, answer: "我无法回答", grader: .exact, reasoning: "这不是我学过的题目。", key: key,
        language: language)
    }
  }

  /// Replaces the slots of a template.
  private static func filled(_ template: String, _ random: inout TaskRandom) -> String {
    var result = "", rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      result += rest[..<open]
      switch rest[rest.index(after: open)..<close] {
      case "noun": result += random.element(WordList.nouns)
      case "place": result += random.element(places)
      case "地": result += random.element(chinesePlaces)
      case "物": result += random.element(chineseThings)
      case "person": result += random.element(people)
      case "topic": result += random.element(topics)
      case "number": result += "\(random.integer(digits: random.integer(1...4)))"
      // A word that does not exist: what was never seen is out of scope, too.
      case "word": result += word(&random)
      default: break
      }
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }

  private static func word(_ random: inout TaskRandom) -> String {
    let starts = ["b", "br", "c", "d", "f", "gl", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w", "z"]
    let middles = ["a", "e", "i", "o", "u", "ai", "ea", "oo"], ends = ["", "l", "n", "r", "s", "t", "x", "nd", "ck"]
    return (0..<random.integer(1...3)).map { _ in random.element(starts) + random.element(middles) + random.element(ends) }
      .joined()
  }

  private static let english = [
    "Hello!", "Hi", "Good morning, how are you?", "Thanks, that was helpful.", "Who are you?", "What can you do?",
    "Tell me a joke.",
    "Tell me a story about a {noun} and a {noun}.", "Write a poem about {topic}.",
    "Write a short letter to {person} about the {noun}.",
    "What is the capital of {place}?", "How many people live in {place}?", "Where is {place}?", "When was {place} founded?",
    "What language do people speak in {place}?", "Who is {person}?", "When was {person} born?",
    "What did {person} write about {topic}?",
    "Explain {topic} to a child.", "Explain {topic} in {number} words.", "What is {topic}?", "Why is {topic} important?",
    "Summarize the history of {topic}.", "What do you think about {topic}?", "Give me {number} ideas for a gift with a {noun}.",
    "How do I repair a {noun}?", "How do I clean a {noun} after {number} days?", "Is a {noun} heavier than a {noun}?",
    "What colour is a {noun}?", "What does the word {word} mean?", "What does {noun} mean in German?",
    "Translate '{noun}' into French.", "Translate this sentence: the {noun} is in the {noun}.",
    "Correct this sentence: {word} {noun} are good.",
    "Recommend a book about {topic}.", "What should I cook with a {noun} and {number} eggs?", "How is the weather in {place}?",
    "What time is it in {place}?", "How far is it from {place} to {place}?", "What is the best way to travel to {place}?",
    "Can you help me with my essay about {topic}?", "Write a Swift function that draws a {noun}.", "How do I install {word}?",
    "What happened in the year {number}?", "Who won the {topic} prize?", "Is {topic} dangerous?", "{word} {word} {word}",
    "{word}?",
    "{noun}", "What is the meaning of life?", "What is the meaning of {number}?", "Which is the largest {noun} in {place}?",
    "List {number} facts about {topic}.", "Do you like {noun}?", "I feel sad because of {topic}.",
    "My {noun} is broken. What now?",
    "Draw a {noun}.", "Play a song about {topic}.", "Compare {topic} with {topic}.", "How old is {person}?",
    "How are you?", "What's your name?", "Can you help me?", "Are you a human?", "Who made you?", "I love you", "Goodbye!",
    "Test",
    "What is {noun}?", "What are you?", "Tell me about {topic}.", "Tell me about {place}.", "Tell me more.", "Why?",
    "Please help!",
    "Write code for a {noun}.", "Write a Python script that downloads {topic}.", "Write an email to {person}.",
    "Give me a recipe with {noun}.", "Which is better, {topic} or {topic}?", "How does {topic} work?", "How do I make a {noun}?",
    "How do I learn {topic}?", "Where can I buy a {noun}?", "Who invented the {noun}?", "Why is the sky blue?",
    "Is it raining in {place}?",
    "What is the largest city of {place}?", "What is the population of {place}?", "What should I do in {place}?",
    "Say hello to {person}.",
    "Name {number} kinds of {noun}.", "Spell {word}.", "Rhyme with {noun}.", "Describe a {noun}.", "Fix my code.",
    "What is love?",
    "Do you know {person}?", "What is your favourite {noun}?", "Can I eat a {noun}?", "How many {noun} are in {place}?",
    "What is the square root of {number}?", "Is {number} a prime number?", "What is {number} percent of {number}?",
    "Integrate x^{number}.", "What are the factors of {number}?", "Round {number} to tens.", "What is the sine of {number}?",
    "Write {number} in Roman numerals.", "How many seconds are {number} hours?", "What is {number} to the power of {number}?",
    "Convert {number} dollars to euros.", "What is pi?", "What is infinity?", "Prove that there are {number} primes.",
  ]
  private static let chinese = [
    "你好！", "你是谁？", "你会做什么？", "请讲一个笑话。", "请写一首关于{物}的诗。", "{地}的首都是哪里？", "{地}有多少人口？", "{地}的天气怎么样？",
    "怎么去{地}？", "{物}是什么？", "为什么{物}很重要？", "请介绍一下{物}的历史。", "请把“{noun}”翻译成中文。", "你喜欢{物}吗？", "{物}和{物}有什么区别？",
    "请推荐一本关于{物}的书。", "{number}年发生了什么？", "怎么修理{物}？", "请用{number}个字解释{物}。", "今天吃什么？", "谢谢你！", "{物}",
    "你叫什么名字？", "请帮帮我。", "{number}的平方根是多少？", "{number}是质数吗？", "请写一封信给{物}。", "什么是{物}？", "再见！", "请写一段代码。",
  ]
  private static let places = [
    "France", "Japan", "Brazil", "Kenya", "Norway", "Peru", "India", "Egypt", "Canada", "Vietnam", "Paris", "Tokyo", "Berlin",
    "Lagos",
    "Taipei", "Sydney", "Rome", "Oslo", "Boston", "Beijing", "Iceland", "Chile", "Texas", "Madrid",
  ]
  private static let people = [
    "Einstein", "Shakespeare", "Marie Curie", "Newton", "Mozart", "Confucius", "Ada Lovelace", "Darwin", "Gandhi", "Cleopatra",
    "Picasso",
    "Turing", "my neighbour", "the president", "the queen",
  ]
  private static let topics = [
    "gravity", "love", "democracy", "football", "the moon", "climate", "music", "quantum physics", "cooking", "the internet",
    "history",
    "photosynthesis", "economics", "chess", "war", "friendship", "the brain", "evolution", "religion", "artificial intelligence",
    "tea",
    "volcanoes", "dinosaurs", "poetry",
  ]
  private static let chinesePlaces = ["法国", "日本", "巴西", "北京", "台北", "伦敦", "埃及", "加拿大", "上海", "纽约", "印度", "柏林"]
  private static let chineseThings = [
    "月亮", "音乐", "足球", "爱情", "历史", "茶", "量子力学", "互联网", "恐龙", "下棋", "友谊", "火山", "民主", "手机", "桌子", "自行车",
  ]
}

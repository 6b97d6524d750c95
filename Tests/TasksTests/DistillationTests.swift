import SwiftletJSON
import Testing

@testable import SwiftletTasks

/// Which of a teacher's answers become training data.
@Suite struct DistillationTests {
  private func problem(_ index: Int, _ question: String? = nil, answer: String = "2") -> EvaluationProblem {
    EvaluationProblem(
      id: "p/\(index)", group: "p", problem: Problem(question: question ?? "Question \(index)?", answer: answer, grader: .number))
  }

  private func answer(
    _ problem: EvaluationProblem, _ text: String, sample: Int = 0, tokens: Int = 5, isTruncated: Bool = false
  ) throws -> GradedAnswer {
    GradedAnswer(
      problem: problem.id, group: problem.group, sample: sample,
      answer: ModelAnswer(text: text, tokens: tokens, isTruncated: isTruncated),
      grade: try problem.problem.grade(text, extraction: .lenient))
  }

  private func reasons(_ result: AnswerSelection.Result) -> [String: AnswerSelection.Reason] {
    Dictionary(result.dropped.map { ("\($0.answer.problem) \($0.answer.sample)", $0.reason) }) { first, _ in first }
  }

  @Test func everyAnswerIsKeptOrDroppedForOneReason() throws {
    let problems = (0..<3).map { problem($0) }
    let answers = [
      try answer(problems[0], "<think>\na\n</think>\n<answer>2</answer>"),
      try answer(problems[0], "<think>\na\n</think>  <answer>2</answer>\n", sample: 1),
      try answer(problems[0], "<answer>3</answer>", sample: 2), try answer(problems[0], "  \n", sample: 3),
      try answer(problems[1], "<think>\nand then", isTruncated: true),
      try answer(problems[1], "<think>\nonly a thought\n</think>\n", sample: 1),
      try answer(problems[1], "<think>\nnever ended", sample: 2), try answer(problems[1], "The answer is 2.", sample: 3),
      // The same answer to another question.
      try answer(problems[2], "<think>\na\n</think>\n<answer>2</answer>"),
    ]
    let result = AnswerSelection().choose(answers, of: problems)
    #expect(result.kept.map { "\($0.problem) \($0.sample)" } == ["p/0 0", "p/1 3", "p/2 0"])
    #expect(
      reasons(result) == [
        "p/0 1": .duplicate, "p/0 2": .wrong, "p/0 3": .empty, "p/1 0": .cut, "p/1 1": .empty, "p/1 2": .empty,
      ])
    var selection = AnswerSelection()
    selection.keepsRightOnly = false
    selection.requiresForm = true
    let other = selection.choose(answers, of: problems)
    #expect(reasons(other)["p/0 2"] == .malformed && reasons(other)["p/1 3"] == .malformed)
    #expect(other.kept.count + other.dropped.count == answers.count)
  }

  @Test func someOfManyAreChosen() throws {
    let one = problem(0), texts = ["long way to go and then 2", "2", "so 2", "it is 2", "well, two: 2"]
    let answers = try texts.enumerated().map { try answer(one, $1, sample: $0, tokens: $1.count) }
    var selection = AnswerSelection()
    selection.perProblem = 2
    func kept() -> [Int] { selection.choose(answers, of: [one]).kept.map(\.sample) }
    #expect(kept() == [0, 1])
    selection.order = .shortest
    #expect(kept() == [1, 2])
    selection.order = .random
    let first = kept()
    #expect(first.count == 2 && kept() == first)
    let draws = Set(
      (UInt64(0)..<20).map { seed -> [Int] in
        selection.seed = seed
        return kept()
      })
    #expect(draws.count > 3)
    #expect(selection.choose(answers, of: [one]).dropped.allSatisfy { $0.reason == .surplus })
    // One that nobody needs is that first, whatever it says.
    selection.order = .first
    let more = try answers + [answer(one, texts[0], sample: 5)]
    #expect(reasons(selection.choose(more, of: [one]))["p/0 5"] == .surplus)
  }

  @Test func nearDuplicatesAreFound() throws {
    let words = (0..<60).map { "word\($0)" }, question = problem(0, words.prefix(20).joined(separator: " "))
    let base = words.joined(separator: " ") + " 2"
    // One word of 61 changes five runs of 57.
    let near = base.replacing("word30", with: "other"), far = (0..<60).map { "term\($0)" }.joined(separator: " ") + " 2"
    let answers = [
      try answer(question, base), try answer(question, near, sample: 1), try answer(question, far, sample: 2),
    ]
    #expect(reasons(AnswerSelection().choose(answers, of: [question])) == ["p/0 1": .nearDuplicate])
    var selection = AnswerSelection()
    selection.nearDuplicates = 0.9
    #expect(selection.choose(answers, of: [question]).dropped.isEmpty)
    selection.nearDuplicates = nil
    #expect(selection.choose(answers, of: [question]).dropped.isEmpty)
    // The same answers to questions that differ are no duplicates.
    let others = [problem(1, "What is 17 + 4, tell me now please?"), problem(2, "What is 31 + 9, tell me now please?")]
    #expect(AnswerSelection().choose([try answer(others[0], base), try answer(others[1], near)], of: others).kept.count == 2)
  }

  /// MinHash finds what a comparison of all pairs does.
  @Test func fewPairsAreMissed() {
    var random = TaskRandom("pairs"), missed = 0
    let pairs = 200
    for pair in 0..<pairs {
      let words = (0..<120).map { "w\($0 * 31 + pair * 1000)" }
      var changed = words
      // Two words of 120: 106 of 126 runs are common, a share of 0.84.
      for place in [random.integer(10...50), random.integer(60...110)] { changed[place] = "changed" }
      var near = NearDuplicates(threshold: 0.8)
      let isFirst = near.insert(question: "q", answer: words.joined(separator: " "))
      #expect(isFirst)
      if near.insert(question: "q", answer: changed.joined(separator: " ")) { missed += 1 }
    }
    #expect(missed <= 3, "\(missed) of \(pairs)")
  }

  @Test func heldOutTextsAreFound() throws {
    let long = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May"
    var held = Decontamination()
    try held.add(file: Array("{\"question\": \"\(long)\"}\nWhat is two plus seven?\nHi!\n".utf8), name: "held")
    #expect(held.count == 3)
    func isFound(_ question: String, _ answer: String = "2", isMade: Bool = false) -> Bool {
      held.isContaminated(problem(0, question), answer: answer, isMade: isMade)
    }
    #expect(isFound("Once: natalia sold clips to 48 of her friends in April; and then she slept. Why?"))
    #expect(!isFound("Natalia sold clips to 49 of her friends in May."))
    #expect(isFound("Tell me. What is two plus seven? Be quick."))
    #expect(!isFound("What is two plus eight?"))
    #expect(isFound("hi") && !isFound("Hi there"))
    // Of answers only long runs count.
    #expect(isFound("Write a story.", "She sold clips: Natalia sold clips to 48 of her friends in April, and then she left."))
    #expect(!isFound("Write a story.", "What is two plus seven? Nine."))
    try held.add(file: Array("{\"ID\": \"1983-1\", \"Problem\": \"Find the value of x when it is seven\"}".utf8), name: "aime")
    #expect(isFound("Find the value of x when it is seven."))
    for text in ["{\"x\": 1}", "", "\n"] {
      #expect(throws: TaskError.self) {
        var other = Decontamination()
        try other.add(file: Array(text.utf8), name: "held")
      }
    }
  }

  @Test func splitsOfFamiliesAreFound() throws {
    var held = Decontamination()
    try held.add(.heldOut, problemsOfEach: 20)
    for family in TaskFamilies.all {
      let train = try TaskSet(family, difficulty: 4, split: .train).problems(20)
      #expect(!train.contains { held.isContaminated($0, answer: "", isMade: true) }, "\(family.name)")
      let heldOut = try TaskSet(family, difficulty: 4, split: .heldOut, seed: 77).problems(20)
      #expect(heldOut.allSatisfy { held.isContaminated($0, answer: "", isMade: true) }, "\(family.name)")
      // From a file, which does not say the split, those that evaluations ask.
      let asked = try TaskSet(family, difficulty: 4, split: .heldOut).problem(at: 3)
      let read = EvaluationProblem(id: "x", group: "x", problem: Problem(question: asked.question, answer: "", grader: .exact))
      #expect(held.isContaminated(read, answer: "", isMade: false), "\(family.name)")
    }
  }

  @Test(arguments: [
    ("The sum is 3, so the answer is 4.", Script.Writing.one(.latin)), ("先算 3 + 4，再乘以二。", .one(.han)),
    ("First add them. 然后再乘以二，得到结果是十四。", .mixed), ("3 + 4 = 7", .none),
    ("<think>先算</think><answer>7</answer>", .one(.han)), ("设 $x = alpha beta gamma$，则 \\frac 得到结果。", .one(.han)),
    ("写程序：\n```\nprint(all the words in the world)\n```\n完成。", .one(.han)), ("Привет, как дела?", .one(.other)),
  ]) func writingIsRecognised(text: String, writing: Script.Writing) throws {
    #expect(Script.writing(of: text) == writing)
    var selection = AnswerSelection()
    selection.keepsRightOnly = false
    let one = problem(0), answers = [try answer(one, text)]
    for language in AnswerSelection.Language.allCases {
      selection.language = language
      let isKept =
        switch writing {
        case .none: true
        case .mixed: false
        case .one(let script): language == .one || script == (language == .english ? .latin : .han)
        }
      #expect(selection.choose(answers, of: [one]).kept.isEmpty != isKept, "\(language)")
    }
  }

  @Test func promptsOfManyForms() throws {
    let text = """
      What is rain?

      {"prompt": "What is snow?", "id": "snow", "family": "weather"}
      {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hail?"}, {"role": "assistant", "content": "Ice."}]}
      {"question": 5}
      {"broken":
      {"prompt": "again", "id": "snow"}
      {"messages": []}
      {"text": "Fog?"}\r
      """
    let (prompts, broken) = try PromptFile.prompts(Array(text.utf8) + [0x0A, 0xFF, 0x0A], name: "f", skipsBroken: true)
    #expect(prompts.map(\.text) == ["What is rain?", "What is snow?", "Hail?", "Fog?"])
    #expect(prompts.map(\.id) == ["prompts/1", "snow", "prompts/4", "prompts/9"] && prompts[1].group == "weather")
    #expect(prompts[2].messages.elements?.count == 2)
    #expect(broken.map(\.line).sorted() == [5, 6, 7, 8, 10])
    let error = #expect(throws: TaskError.self) { try PromptFile.prompts(Array(text.utf8), name: "f") }
    #expect(error.map { "\($0)" }?.contains("f, line ") == true)
    #expect(throws: TaskError.self) { try PromptFile.prompts([], name: "f") }
    // Behind a byte order mark JSON is JSON.
    let marked = try PromptFile.prompts([0xEF, 0xBB, 0xBF] + Array(#"{"prompt": "Rain?"}"#.utf8), name: "f").prompts
    #expect(marked.map(\.text) == ["Rain?"])
  }

  @Test func theCardCountsEverything() throws {
    let problems = [problem(0), problem(1)]
    let answers = [
      try answer(problems[0], "a 2", tokens: 3), try answer(problems[0], "a 3", sample: 1),
      try answer(problems[1], "cut", isTruncated: true),
    ]
    let failed = FailedAnswer(problem: "p/1", group: "p", sample: 1, failure: AnswerFailure("gone"))
    var card = DataCard(
      title: "data.jsonl", date: "2026-11-29", problems: problems, samples: 2, isGraded: true,
      result: AnswerSelection().choose(answers, of: problems), failures: [failed])
    card.teacher = [("model", "a|b")]
    #expect(card.json["counts"]?.serialized() == #"{"asked":4,"answered":3,"kept":1}"#)
    #expect(card.json["dropped"]?.serialized() == #"{"failed":1,"cut":1,"wrong":1}"#)
    #expect(card.json["families"]?.serialized() == #"{"p":{"asked":4,"right":1,"kept":1}}"#)
    #expect(card.json["tokens"]?["max"]?.integer == 3)
    #expect(card.markdown.contains("| model | a\\|b |") && card.markdown.contains("| dropped: failed | 1 |"))
  }
}

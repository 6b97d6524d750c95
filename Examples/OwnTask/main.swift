import SwiftletTasks

/// A family of tasks of one's own: words to be spelled from their end.
struct Reversal: TaskFamily {
  let name = "reversal"
  let summary = "Spells a word from its end."

  func dials(difficulty: Int) -> String { "\(difficulty + 3) letters" }

  func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let letters = (0..<(difficulty + 3)).map { _ in random.element(Array("abcdefghijklmnopqrstuvwxyz")) }
    let word = String(letters), reversed = String(letters.reversed())
    let spelled = letters.reversed().map(String.init).joined(separator: ", ")
    return Problem(
      question: "Spell '\(word)' backwards.", answer: reversed, grader: .exact,
      reasoning: "From the end the letters are \(spelled).\nTogether: \(reversed)")
  }
}

// Problems as a file for `swiftlet eval MODEL --data FILE`.
for problem in try TaskSet(Reversal(), difficulty: 2, split: .heldOut).problems(20) { print(problem.json.serialized()) }

// A grade, which is the reward of reinforcement learning.
let problem = try TaskSet(Reversal(), difficulty: 2).problem(at: 0)
let grade = try problem.grade("<think>…</think><answer>\(problem.answer)</answer>")
assert(grade.isCorrect && grade.isWellFormed)

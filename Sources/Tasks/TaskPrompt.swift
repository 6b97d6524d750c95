extension Problem {
  /// How the answer is to be written, as R1-Zero was asked to.
  public var instruction: String {
    switch (grader, language) {
    case (.python, _): "Think first between <think> and </think>. Then give the whole function between <answer> and </answer>."
    case (_, .english):
      "Think first between <think> and </think>. Then give only the final answer between <answer> and </answer>."
    case (_, .chinese): "请先在 <think> 和 </think> 之间思考，然后只把最终答案写在 <answer> 和 </answer> 之间。"
    }
  }

  /// What a model is asked.
  /// - Parameter instruction: instead of the problem's own; empty for none.
  public func prompt(instruction: String? = nil) -> String {
    let instruction = instruction ?? self.instruction
    return instruction.isEmpty ? question : question + "\n\n" + instruction
  }

  /// A right answer with its thought, as a model should write it.
  public var workedAnswer: String { "<think>\n\(reasoning)\n</think>\n<answer>\(answer)</answer>" }
}

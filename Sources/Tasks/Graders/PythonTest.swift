/// A Python function and the tests for it, as HumanEval has them.
public struct PythonTest: Sendable, Equatable {
  /// The beginning of the program: imports, and the function's head with its description.
  public var prompt: String
  /// A program that defines `check(candidate)`.
  public var test: String
  /// The name of the function.
  public var entryPoint: String

  public init(prompt: String, test: String, entryPoint: String) {
    self.prompt = prompt
    self.test = test
    self.entryPoint = entryPoint
  }

  /// The whole program that a sandbox runs. A secret at the end of its output counts, so that a program that ends early has
  /// passed nothing.
  /// - Parameters:
  ///   - answer: the function, or only its body.
  ///   - secret: what a passed test writes.
  func program(_ answer: String, secret: String) -> String {
    // Behind a body may stand functions whose names begin alike.
    let head = "def \(entryPoint)"
    let isWhole = answer.split(whereSeparator: \.isNewline).contains { line in
      let next = line.dropFirst(head.count).first(where: { $0 != " " })
      return line.hasPrefix(head) && (next == "(" || next == "[")
    }
    // The head is needed in either case, for its imports. Of a body alone the first line may have lost its indentation.
    let isIndented = answer.first == " " || answer.first == "\t"
    let source = prompt + (isWhole ? "    pass\n\n" : isIndented ? "" : "    ") + answer
    return source + "\n\n" + test + "\n\ncheck(\(entryPoint))\n\nprint('\\n\(secret)')\n"
  }
}

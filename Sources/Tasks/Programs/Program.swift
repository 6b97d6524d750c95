/// A program of a small language: the part of Python with integers of 64 bits, booleans, lists of integers, `if`, `while`, `for`,
/// `def`, `print`, and the functions `abs`, `len`, `min`, `max`, `sum`. What it accepts, Python runs with the same output, but for
/// numbers that do not fit: here they are errors.
public struct Program: Sendable {
  private static let longestSource = 1 << 16
  let statements: [ProgramStatement]

  /// - Throws: `ProgramError` with the line, for what is not of the language.
  public init(_ source: String) throws(ProgramError) {
    guard source.utf8.count <= Self.longestSource else {
      throw ProgramError(line: 1, reason: "longer than \(Self.longestSource) bytes")
    }
    var parser = try ProgramParser(source)
    statements = try parser.program()
  }

  /// Runs the program in bounded time and memory.
  /// - Parameters:
  ///   - inputs: variables that are set before.
  ///   - steps: the most statements and operations.
  /// - Returns: what it printed, a line a `print`, each with its line end.
  /// - Throws: `ProgramError` with the line, also when a bound is reached.
  public func run(inputs: [ProgramTest.Input] = [], steps: Int = 1_000_000) throws(ProgramError) -> String {
    var interpreter = ProgramInterpreter(steps: steps)
    for input in inputs { interpreter.set(input.name, to: .integer(input.value)) }
    try interpreter.run(statements)
    return interpreter.output
  }

  /// Runs the program and says in words what it assigned, returned and printed, an event a line.
  func trace() throws(ProgramError) -> (output: String, events: [String]) {
    var interpreter = ProgramInterpreter(steps: 100_000, traces: true)
    try interpreter.run(statements)
    return (interpreter.output, interpreter.trace ?? [])
  }

  /// The source without a fence of three back-ticks around it.
  static func withoutFence(_ text: String) -> String {
    var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    guard let open = lines.firstIndex(where: { $0.hasPrefix("```") }) else { return text }
    lines.removeSubrange(...open)
    if let close = lines.firstIndex(where: { $0.hasPrefix("```") }) { lines.removeSubrange(close...) }
    return lines.joined(separator: "\n")
  }
}

/// What a program must print for some inputs.
public struct ProgramTest: Sendable, Equatable {
  public struct Input: Sendable, Equatable {
    public var name: String
    public var value: Int

    public init(name: String, value: Int) {
      self.name = name
      self.value = value
    }
  }

  /// Variables that are set before the program runs.
  public var inputs: [Input]
  /// Compared word by word.
  public var output: String

  public init(inputs: [Input], output: String) {
    self.inputs = inputs
    self.output = output
  }

  public func passes(_ program: Program) -> Bool {
    guard let printed = try? program.run(inputs: inputs) else { return false }
    return printed.split(whereSeparator: \.isWhitespace) == output.split(whereSeparator: \.isWhitespace)
  }
}

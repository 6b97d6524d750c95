import SwiftletJSON

/// How a file of problems is written.
public enum ProblemFileFormat: String, Sendable, CaseIterable {
  /// JSON Lines of our own: `{"question", "answer", "grader"}`.
  case jsonl
  /// JSON Lines of GSM8K: `{"question", "answer"}`, the result behind `####`.
  case gsm8k
  /// MATH: `{"problem", "solution"}`, one in a file or one a line, the result in the last `\boxed{}` or in `answer`.
  case math
  /// AIME: JSON Lines with a problem and an integer.
  case aime
  /// MMLU: the published CSV without a header, or JSON Lines with `choices`.
  case mmlu
  /// HumanEval: JSON Lines with `prompt`, `test` and `entry_point`.
  case humaneval
}

/// Problems from a file.
public enum ProblemFile {
  /// Reads a file.
  /// - Parameters:
  ///   - name: for errors, and for the problems' names.
  ///   - onBroken: told of each line that is no problem, which is then left out; nil makes the first one an error.
  /// - Throws: `TaskError.badFile` with the line.
  public static func problems(
    _ bytes: [UInt8], name: String, format: ProblemFileFormat = .jsonl, onBroken: ((TaskError) -> Void)? = nil
  ) throws(TaskError) -> [EvaluationProblem] {
    func broken(_ line: Int, _ reason: String) throws(TaskError) {
      let error = TaskError.badFile(file: name, line: line, reason: reason)
      guard let onBroken else { throw error }
      onBroken(error)
    }
    let bytes = bytes.withoutByteOrderMark
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .badFile(
        file: name, line: nil, reason: "is no UTF-8; a packed file (.gz, .zip, .parquet) must be unpacked or converted first")
    }
    var problems: [EvaluationProblem] = [], ids = Set<String>()
    func add(_ problem: EvaluationProblem, _ line: Int) throws(TaskError) {
      guard ids.insert(problem.id).inserted else {
        return try broken(line, "two problems have the id '\(problem.id.prefix(80))'")
      }
      problems.append(problem)
    }
    if format == .mmlu, !text.hasPrefix("{"), !text.hasPrefix("[") {
      for (line, row) in try CSVRows.rows(text, file: name) {
        let problem: EvaluationProblem
        do throws(FieldError) {
          problem = try MMLU.problem(row, number: problems.count + 1)
        } catch {
          try broken(line, error.reason)
          continue
        }
        try add(problem, line)
      }
    } else {
      for (line, row) in try rows(bytes, text, broken) {
        let problem: EvaluationProblem
        do throws(FieldError) {
          problem = try Self.problem(row, number: problems.count + 1, format)
        } catch {
          try broken(line, error.reason)
          continue
        }
        try add(problem, line)
      }
    }
    if problems.isEmpty { throw .badFile(file: name, line: nil, reason: "has no problems") }
    return problems
  }

  private static func problem(
    _ row: JSONValue, number: Int, _ format: ProblemFileFormat
  ) throws(FieldError) -> EvaluationProblem {
    switch format {
    case .jsonl: try EvaluationProblem(row, number: number)
    case .gsm8k: try GSM8K.problem(row, number: number)
    case .math: try MATH.problem(row, number: number)
    case .aime: try AIME.problem(row, number: number)
    case .mmlu: try MMLU.problem(row, number: number)
    case .humaneval: try HumanEval.problem(row, number: number)
    }
  }

  /// Objects, one a line, or one or a list of them over the whole file.
  private static func rows(
    _ bytes: [UInt8], _ text: String, _ broken: (Int, String) throws(TaskError) -> Void
  ) throws(TaskError) -> [(line: Int, row: JSONValue)] {
    if let whole = try? JSONValue(parsing: bytes) {
      if let elements = whole.elements { return elements.enumerated().map { ($0.offset + 1, $0.element) } }
      return [(1, whole)]
    }
    var rows: [(Int, JSONValue)] = [], number = 0
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      do throws(JSONError) {
        rows.append((number, try JSONValue(parsing: Array(line))))
      } catch {
        try broken(number, "is no JSON: \(error.reason)")
      }
    }
    return rows
  }
}

extension [UInt8] {
  /// What editors of Windows put before a text is no part of it.
  var withoutByteOrderMark: [UInt8] {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    return starts(with: mark) ? Array(dropFirst(mark.count)) : self
  }
}

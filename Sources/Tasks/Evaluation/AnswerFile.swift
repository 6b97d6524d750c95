internal import Foundation
internal import SwiftletJSON

/// The file of answers: a line that says what they depend on, then a line an answer. An evaluation that was interrupted goes on
/// from it.
final class AnswerFile {
  /// What was there already.
  let answers: [GradedAnswer]
  private let path: String
  private let file: FileHandle
  private let header: JSONValue

  /// - Throws: `TaskError.badFile`, or `otherEvaluation` when its answers depend on something else.
  init(path: String, settings: JSONValue) throws(TaskError) {
    self.path = path
    header = ["evaluation": settings]
    // O_NONBLOCK: opening a pipe must not wait for its reader.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else {
      throw .badFile(file: path, line: nil, reason: "cannot be written: \(String(cString: strerror(errno)))")
    }
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .badFile(file: path, line: nil, reason: "is no regular file")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw .badFile(file: path, line: nil, reason: "is being written by another evaluation")
    }
    do {
      let data = try file.readToEnd() ?? Data()
      let (answers, length) = try Self.read(data, path, settings)
      self.answers = answers
      try file.truncate(atOffset: UInt64(length))
      if length == 0 { try file.write(contentsOf: Data((header.serialized() + "\n").utf8)) }
    } catch let error as TaskError {
      throw error
    } catch {
      throw Self.failure(path, error)
    }
  }

  /// The answers, and the bytes of whole lines. A torn last line is left out.
  private static func read(_ data: Data, _ path: String, _ settings: JSONValue) throws(TaskError) -> ([GradedAnswer], Int) {
    let lines = data.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    guard let first = lines.first else {
      // Nothing, or a first line that was being written.
      guard "{\"evaluation\":".utf8.starts(with: data) || data.starts(with: "{\"evaluation\":".utf8) else {
        throw .badFile(file: path, line: 1, reason: "is no file of answers; name another one")
      }
      return ([], 0)
    }
    guard let found = (try? JSONValue(parsing: Array(first)))?["evaluation"] else {
      throw .badFile(file: path, line: 1, reason: "is no file of answers; name another one")
    }
    for member in (settings.members ?? []) + (found.members ?? [])
    where found[member.key]?.serialized() != settings[member.key]?.serialized() {
      throw .otherEvaluation(file: path, field: member.key)
    }
    var answers: [GradedAnswer] = []
    for (index, line) in lines.dropFirst().enumerated() {
      guard let json = try? JSONValue(parsing: Array(line)), let answer = GradedAnswer(json) else {
        throw .badFile(file: path, line: index + 2, reason: "is no answer of an evaluation")
      }
      answers.append(answer)
    }
    return (answers, lines.reduce(0) { $0 + $1.count + 1 })
  }

  func add(_ answer: GradedAnswer) throws(TaskError) {
    do { try file.write(contentsOf: Data((answer.json.serialized() + "\n").utf8)) } catch { throw Self.failure(path, error) }
  }

  /// Puts all answers in the order of the problems, so that the same evaluation leaves the same file.
  func finish(_ answers: [GradedAnswer]) throws(TaskError) {
    let text = ([header] + answers.map(\.json)).map { $0.serialized() + "\n" }.joined()
    // What is replaced is the file, not a link to it.
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    do { try Data(text.utf8).write(to: url, options: .atomic) } catch { throw Self.failure(path, error) }
  }

  private static func failure(_ path: String, _ error: any Error) -> TaskError {
    .badFile(file: path, line: nil, reason: "cannot be written: \(error.localizedDescription)")
  }
}

internal import Foundation
internal import SwiftletJSON

/// What an interrupted batch goes on from: `OUTPUT.journal`, which is there until all rows are in the output.
///
/// Its first line says what the answers were made from, so that no output is continued with other rows, options or models. Every
/// further line is an answer that waits for a row before it.
struct BatchJournal {
  /// What the answers of a batch depend on.
  struct Origin {
    /// Model and options, as text.
    let settings: String
    /// The rows. An input that has grown at its end since is the same.
    let input: Data

    var json: JSONValue {
      ["settings": .string(settings), "input_bytes": .integer(input.count), "input_hash": .string(Self.hash(input))]
    }

    func matches(_ json: JSONValue) -> Bool {
      guard json["settings"]?.string == settings, let count = json["input_bytes"]?.integer, (0...input.count).contains(count)
      else { return false }
      return json["input_hash"]?.string == Self.hash(input.prefix(count))
    }

    /// FNV-1a of 64 bits: it tells files apart that nobody has made to be alike.
    private static func hash(_ data: Data) -> String {
      String(data.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
    }
  }

  /// The answers that were waiting, by row.
  private(set) var waiting: [Int: JSONValue] = [:]
  private let path: String
  private let file: FileHandle

  /// - Throws: `BatchError` when the output was begun from something else, or another run is writing it.
  init(output: String, origin: Origin) throws {
    path = output + ".journal"
    file = try Self.open(path)
    guard flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw BatchError(file: output, reason: "is being written by another run; wait for it, or name another output file")
    }
    let data = try BatchRun.contents(path)
    // A torn last line is left out.
    let lines = data.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map { Data($0) }
    let beginning = Array("{\"settings\":".utf8)
    guard beginning.starts(with: data) || data.starts(with: beginning) else {
      throw BatchError(file: path, reason: "is no journal of a batch; move it away, or name another output file")
    }
    if let first = lines.first {
      guard let json = try? JSONValue(parsing: Array(first)), origin.matches(json) else {
        throw BatchError(
          file: output,
          reason: "was begun with other rows, options or another model; name another output file, or remove it and \(path)")
      }
    }
    for line in lines.dropFirst() {
      guard let json = try? JSONValue(parsing: Array(line)), let row = json["row"]?.integer, let answer = json["answer"] else {
        continue
      }
      waiting[row] = answer
    }
    try file.truncate(atOffset: UInt64(lines.reduce(0) { $0 + $1.count + 1 }))
    if lines.isEmpty { try file.write(contentsOf: Data((origin.json.serialized() + "\n").utf8)) }
  }

  func add(_ answer: JSONValue, row: Int) throws {
    let line: JSONValue = ["row": .integer(row), "answer": answer]
    try file.write(contentsOf: Data((line.serialized() + "\n").utf8))
  }

  func remove() throws {
    try FileManager.default.removeItem(atPath: path)
    try file.close()
  }

  /// Opens a file to write at its end, and makes it when there is none.
  static func open(_ path: String) throws -> FileHandle {
    // O_NONBLOCK: opening a pipe must not wait for its reader.
    let descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else {
      throw BatchError(file: path, reason: "cannot be written: \(String(cString: strerror(errno)))")
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw BatchError(file: path, reason: "is no regular file; name another output file")
    }
    try file.seekToEnd()
    return file
  }
}

import Foundation
import SwiftletChatTemplates
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTokenization
import Testing

/// The files of the other tests, which are broken here.
enum Seeds {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  static func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: tests.appendingPathComponent(path))) }

  /// The files of a folder whose names end in `suffix`, by name.
  static func paths(_ folder: String, suffix: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: tests.appendingPathComponent(folder).path)
      .filter { $0.hasSuffix(suffix) }.sorted().map { folder + "/" + $0 }
  }

  static func all(_ folder: String, suffix: String) throws -> [[UInt8]] {
    try paths(folder, suffix: suffix).map { try bytes($0) }
  }

  static let checkpoints = "ModelsTests/Fixtures/checkpoints"

  static func ggufs() throws -> [[UInt8]] { try all("ModelsTests/Fixtures/gguf", suffix: ".gguf") }
}

/// A folder for the files under test. After a crash the last one written is still there.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-robustness-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// Replaces a file by a new one: an earlier one of the name may still be mapped.
  @discardableResult func write(_ bytes: [UInt8], as name: String) throws -> String {
    let target = url.appendingPathComponent(name)
    try? FileManager.default.removeItem(at: target)
    try Data(bytes).write(to: target)
    return target.path
  }
}

/// What became of the cases of one test.
struct Outcome {
  var accepted = 0
  var refused = 0
}

/// Bounds on every case.
enum Bounds {
  static let time = Duration.seconds(5)
  /// Of the process, other tests included.
  static let residentBytes = 1_500_000_000

  /// The most memory the process ever had in use; 0 where the system does not tell.
  static func peakResidentBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}

/// Runs numbered cases. Whatever a case throws must be one of the product's errors, with a text; it must be done in time, and
/// memory must stay in bounds.
@discardableResult func run(
  _ cases: Int, _ body: (_ number: Int) throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
) -> Outcome {
  var outcome = Outcome()
  for number in 0..<cases {
    let start = ContinuousClock.now
    do {
      try body(number)
      outcome.accepted += 1
    } catch {
      outcome.refused += 1
      #expect(isTyped(error) && !"\(error)".isEmpty, "case \(number): \(error)", sourceLocation: sourceLocation)
    }
    let time = ContinuousClock.now - start
    #expect(time < Bounds.time, "case \(number) took \(time)", sourceLocation: sourceLocation)
  }
  let peak = Bounds.peakResidentBytes()
  #expect(peak < Bounds.residentBytes, "\(peak) bytes of memory were in use", sourceLocation: sourceLocation)
  return outcome
}

/// Whether the error is one that the library documents.
func isTyped(_ error: any Error) -> Bool {
  error is CheckpointError || error is TokenizerError || error is JSONError
    || error is TemplateError
}

/// Runs a model over two prompt tokens and a generated one: weights that were accepted must be computable.
/// - Parameter isFinite: whether the weights are whole, so that no logit may be infinite or NaN.
func forward(_ decoder: Decoder, _ compute: Compute, isFinite: Bool = false) {
  let last = decoder.configuration.vocabularySize - 1
  let cache = decoder.makeCache(capacity: 3)
  let prompt = decoder.forward([.init(tokens: [0, last], cache: cache, output: .all)], role: .prompt, compute: compute)
  #expect(prompt.shape == [2, last + 1])
  let values = prompt.floatArray()
  let next = decoder.forward([.init(tokens: [last / 2], cache: cache, output: .last)], role: .generated, compute: compute)
  #expect(next.shape == [1, last + 1])
  #expect(!isFinite || (values + next.floatArray()).allSatisfy { $0.isFinite }, "\(decoder.configuration)")
}

/// Uses a tokenizer that was accepted.
func use(_ tokenizer: Tokenizer) {
  let ids = tokenizer.encode("Hello, wörld 123 深度 <|im_end|>\n", addingBeginningOfSequence: true)
  #expect(ids.allSatisfy { (0..<Int32(tokenizer.vocabularySize)).contains($0) })
  _ = tokenizer.decode(ids + [-1, .max, .min])
  for id in tokenizer.generationEnds { _ = tokenizer.bytes(of: id) }
}

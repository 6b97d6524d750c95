import CSwiftletAllocations
import Foundation
import SwiftletChatTemplates
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletTokenization

/// Broken inputs for one parser, numbered. A case follows from seed and number alone, so one can be run again.
package struct Campaign: Sendable {
  /// Runs a case: breaks an input with the mutator, gives it to the parser, and uses what was accepted.
  package typealias Body = (_ number: Int, _ mutator: inout Mutator, _ run: CaseRun) throws -> Void

  package let name: String
  /// Its part of many cases, in thousandths.
  package let share: Int
  /// How many of 1,000 cases are at least accepted, and refused: else the mutator only scratches the surface.
  package let least: (accepted: Int, refused: Int)
  /// How many times its input's size the parser may take in memory.
  package let memoryFactor: Int
  /// Reads the seeds.
  package let prepare: @Sendable () throws -> Body

  init(
    _ name: String, share: Int, least: (accepted: Int, refused: Int) = (1, 1), memoryFactor: Int = 4,
    prepare: @escaping @Sendable () throws -> Body
  ) {
    self.name = name
    self.share = share
    self.least = least
    self.memoryFactor = memoryFactor
    self.prepare = prepare
  }

  package static let all = gguf + safetensors + texts + dense
}

/// What a case says about itself on its way.
package final class CaseRun {
  /// Bytes of the files that are read.
  package var inputBytes = 0
  /// The most memory in use while they were, in builds that count it.
  fileprivate(set) var parseBytes: Int?

  /// Called before the parser is.
  package func begins(_ inputBytes: Int) {
    self.inputBytes = inputBytes
    allocations_begin()
  }

  /// Called when the input was accepted, before it is used.
  package func isParsed() { if parseBytes == nil { parseBytes = allocations_peak() } }
}

/// A promise that was broken.
package struct Violation: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// Bounds on every case.
package enum Bounds {
  package static let time = Duration.seconds(5)
  /// Of the process, other tests included.
  package static let residentBytes = 1_500_000_000
  /// Memory that reading the smallest input may take.
  package static let parseFloor = 16 << 20

  /// The most memory the process ever had in use; 0 where the system does not tell.
  package static func peakResidentBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}

/// What became of a campaign's cases.
package struct Summary {
  package var accepted = 0
  package var refused = 0
  package var slowest: (time: Duration, number: Int) = (.zero, 0)
  /// The case that took the most memory over the multiple of its input's size.
  package var largest: (excess: Int, bytes: Int, inputBytes: Int, number: Int) = (.min, 0, 0, 0)
  /// Broken promises, the first hundred.
  package var failures: [String] = []

  package var cases: Int { accepted + refused }
}

extension Campaign {
  /// Runs numbered cases. Whatever a case throws must be one of the library's errors, with a text; it must be done in time, and
  /// memory must stay in bounds.
  /// - Parameter willRun: called before each case, which may be the last thing the process does.
  package func run(_ numbers: Range<Int>, seed: UInt64, willRun: (Int) -> Void = { _ in }) throws -> Summary {
    let body = try prepare()
    var summary = Summary()
    func fail(_ number: Int, _ text: String) {
      if summary.failures.count < 100 { summary.failures.append("\(name), seed \(seed), case \(number): \(text)") }
    }
    for number in numbers {
      willRun(number)
      let run = CaseRun(), start = ContinuousClock.now
      var mutator = Mutator(seed: seed &* 0x1_0000_0001 &+ UInt64(number))
      do {
        try body(number, &mutator, run)
        summary.accepted += 1
      } catch {
        run.isParsed()
        summary.refused += 1
        if !Self.isTyped(error) || "\(error)".isEmpty { fail(number, "\(error)") }
      }
      let time = ContinuousClock.now - start
      if time > summary.slowest.time { summary.slowest = (time, number) }
      if time > Bounds.time { fail(number, "took \(time)") }
      if let bytes = run.parseBytes {
        let excess = bytes - memoryFactor * run.inputBytes
        if excess > summary.largest.excess { summary.largest = (excess, bytes, run.inputBytes, number) }
        if excess > Bounds.parseFloor { fail(number, "took \(bytes) bytes of memory for \(run.inputBytes)") }
      }
    }
    return summary
  }

  /// Whether the error is one that the library documents.
  private static func isTyped(_ error: any Error) -> Bool {
    error is CheckpointError || error is TokenizerError || error is JSONError || error is TemplateError
  }
}

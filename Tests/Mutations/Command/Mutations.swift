import CSwiftletAllocations
import Foundation
import SwiftletMutationCases

/// Runs many broken inputs through every parser: `SwiftletMutations [CASES [SEED [PARSER [NUMBER]]]]`. `make mutations` builds it with
/// AddressSanitizer. After a crash the case in progress can be run alone: its parser and number stand in the file that is named
/// at the start.
@main struct Mutations {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst().map { $0 }
    func number(_ index: Int, default value: Int) -> Int { arguments.count > index ? Int(arguments[index]) ?? value : value }
    let cases = number(0, default: 1_000_000), seed = UInt64(number(1, default: 1))
    let campaigns = Campaign.all.filter { arguments.count < 3 || $0.name == arguments[2] }
    guard !campaigns.isEmpty else {
      write("No parser '\(arguments[2])'; there are: \(Campaign.all.map(\.name).joined(separator: "; "))")
      exit(64)
    }
    let note = FileManager.default.temporaryDirectory.path + "/swiftlet-mutations-\(getpid())"
    let descriptor = open(note, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    write("\(cases) cases, seed \(seed), the one in progress in \(note)")
    write("memory: \(allocations_are_counted() != 0 ? "counted" : "not counted in this build")")
    write(row(["parser", "cases", "accepted", "refused", "s", "slowest ms", "excess KB", "largest KB", "of KB"]))
    let start = ContinuousClock.now
    var failures: [String] = [], total = 0
    for campaign in campaigns {
      var range = 0..<max(1, cases * (campaigns.count == 1 ? 1000 : campaign.share) / 1000)
      if arguments.count > 3 { range = number(3, default: 0)..<number(3, default: 0) + 1 }
      var lastNote = ContinuousClock.now
      let campaignStart = lastNote
      let summary = try campaign.run(range, seed: seed) { number in
        // A case that does not end ends the process.
        alarm(120)
        let text = "\(campaign.name), seed \(seed), case \(number)            \n"
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
        if lastNote.duration(to: .now) > .seconds(10) {
          lastNote = .now
          write("\(text.split(separator: "  ")[0]) of \(range.count)", to: .standardError)
        }
      }
      alarm(0)
      failures += summary.failures
      total += summary.cases
      let seconds = campaignStart.duration(to: .now) / .seconds(1)
      write(
        row(
          [campaign.name, "\(summary.cases)", "\(summary.accepted)", "\(summary.refused)", "\(Int(seconds))"]
            + ["\(Int(summary.slowest.time / .milliseconds(1)))"]
            + [summary.largest.excess, summary.largest.bytes, summary.largest.inputBytes].map {
              summary.largest.bytes == 0 ? "-" : "\($0 / 1024)"
            }))
      for failure in summary.failures { write(failure) }
    }
    write("\(total) cases in \(Int(start.duration(to: .now) / .seconds(1))) s, \(failures.count) failures")
    unlink(note)
    exit(failures.isEmpty ? 0 : 1)
  }

  private static func write(_ line: String, to file: FileHandle = .standardOutput) {
    try? file.write(contentsOf: Data((line + "\n").utf8))
  }

  private static func row(_ cells: [String]) -> String {
    let widths = [22, 9, 9, 9, 6, 11, 11, 11, 9]
    return zip(cells, widths).enumerated().map { index, cell in
      let padding = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
      return index == 0 ? cell.0 + padding : padding + cell.0
    }.joined()
  }
}

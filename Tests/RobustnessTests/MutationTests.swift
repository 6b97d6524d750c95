import SwiftletMutationCases
import Testing

/// 25,000 broken inputs, spread over all parsers; `make mutations` runs a million.
@Suite struct MutationTests {
  @Test(arguments: Campaign.all) func brokenInputsAreRefusedOrUsed(_ campaign: Campaign) throws {
    let cases = 25 * campaign.share
    let summary = try campaign.run(0..<cases, seed: 1)
    for failure in summary.failures { Issue.record("\(failure)") }
    #expect(summary.cases == cases)
    #expect(summary.accepted * 1000 >= campaign.least.accepted * cases, "only \(summary.accepted) accepted")
    #expect(summary.refused * 1000 >= campaign.least.refused * cases, "only \(summary.refused) refused")
    #expect(Bounds.peakResidentBytes() < Bounds.residentBytes)
  }
}

import SwiftletGeneration
import SwiftletJSON
import SwiftletTraining

/// What a million tokens cost at the speeds that `bench` measured, on a machine that does nothing else.
struct MeasuredPrices {
  private let hardware: Hardware
  private let table: PriceTable
  private let batches: [(sequences: Int, price: ServingPlan.Price)]

  /// - Parameter cacheBytesPerPosition: for input that is stored, whose speed is not measured.
  init(_ benchmark: Benchmark, cacheBytesPerPosition: Int, on hardware: Hardware) {
    func price(_ tokensPerSecond: Double) -> ServingPlan.Price { hardware.price(secondsPerToken: 1 / tokensPerSecond) }
    let batches = benchmark.batches.map { (sequences: $0.sequences, price: price($0.decodeTokensPerSecond)) }
    table = PriceTable(
      stored: hardware.storedPrice(cacheBytes: Double(cacheBytesPerPosition)),
      computed: price(benchmark.prefillTokensPerSecond),
      outputs: [(name: "output", price: price(benchmark.decodeTokensPerSecond))]
        + batches.map { (name: "output of \($0.sequences) sequences", price: $0.price) },
      asked: PublishedPrice.all)
    (self.hardware, self.batches) = (hardware, batches)
  }

  var text: String {
    table.text("A million tokens on \(hardware.description), at these speeds")
      + PlanReport.assumptions(hardware.measuredServingAssumptions)
  }

  var json: [JSONMember] {
    let output = table.outputs.first.map { PriceTable.json($0.price) } ?? .null
    return [
      JSONMember(
        key: "serving",
        value: [
          "input_cache_hit": PriceTable.json(table.stored), "input_cache_miss": PriceTable.json(table.computed),
          "output": output,
          "batches": .array(
            batches.map { ["sequences": .integer($0.sequences), "output": PriceTable.json($0.price)] }),
        ]),
      JSONMember(key: "prices_per_million", value: PriceTable.json(table.asked)),
      JSONMember(key: "assumptions", value: PlanReport.json(hardware.measuredServingAssumptions)),
    ]
  }
}

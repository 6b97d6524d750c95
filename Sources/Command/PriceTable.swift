import SwiftletJSON
import SwiftletTraining

/// What a million tokens cost, beside what was asked for them.
struct PriceTable {
  var stored: ServingPlan.Price
  var computed: ServingPlan.Price
  var outputs: [(name: String, price: ServingPlan.Price)]
  var asked: [PublishedPrice]

  func text(_ title: String) -> String {
    func row(_ name: String, _ price: ServingPlan.Price, _ published: [Double]) -> [String] {
      [name, PlanText.dollars(price.dollars), PlanText.prefixed(price.kilowattHours * 1000) + "Wh"]
        + published.map { PlanText.dollars($0) }
    }
    var rows = [
      ["", "cost", "energy"] + asked.map(\.name),
      row("input, stored (cache hit)", stored, asked.map(\.hit)),
      row("input, computed (cache miss)", computed, asked.map(\.miss)),
    ]
    rows += outputs.map { row($0.name, $0.price, asked.map(\.output)) }
    return PlanReport.section(title, rows, note: asked.isEmpty ? nil : PublishedPrice.note)
  }

  static func json(_ price: ServingPlan.Price) -> JSONValue {
    ["dollars": .number(price.dollars), "kilowatt_hours": .number(price.kilowattHours)]
  }

  static func json(_ asked: [PublishedPrice]) -> JSONValue {
    .array(
      asked.map {
        [
          "name": .string($0.name), "input_cache_hit": .number($0.hit), "input_cache_miss": .number($0.miss),
          "output": .number($0.output), "source": .string($0.source),
        ]
      })
  }
}

/// How a plan's cost moves when one assumption does and the others stay.
public struct Sensitivity: Sendable {
  public struct Row: Sendable, Equatable {
    /// What is assumed, and what stands in the plan.
    public var name: String
    public var value: String
    public var low: String
    public var high: String
    /// Why it may be anywhere between these.
    public var reason: String
    public var dollarsAtLow: Double
    public var dollarsAtHigh: Double
    /// Percent that the cost changes by when the assumption grows by one percent; nil for what is there or not.
    public var elasticity: Double?

    public var swingDollars: Double { abs(dollarsAtHigh - dollarsAtLow) }
  }

  public var dollars: Double
  /// The widest first.
  public var rows: [Row]

  init(dollars: Double, rows: [Row]) { (self.dollars, self.rows) = (dollars, rows) }

  /// Of a whole training run.
  public init(_ plan: TrainingPlan) {
    let base = plan.dollars
    dollars = base
    func cost(_ change: (inout TrainingPlan.Scenario) -> Void) -> Double {
      var changed = plan
      change(&changed.scenario)
      return changed.dollars
    }
    func row(
      _ name: String, _ value: String, _ field: WritableKeyPath<TrainingPlan.Scenario, Double>, _ low: Double, _ high: Double,
      _ lowText: String, _ highText: String, _ reason: String, isFactor: Bool = true
    ) -> Row {
      let step = 0.01
      let nudged = isFactor && base > 0 ? (cost { $0[keyPath: field] = 1 + step } / base - 1) / step : nil
      return Row(
        name: name, value: value, low: lowText, high: highText, reason: reason,
        dollarsAtLow: cost { $0[keyPath: field] = low }, dollarsAtHigh: cost { $0[keyPath: field] = high }, elasticity: nudged)
    }
    func factor(
      _ name: String, _ value: Double, _ field: WritableKeyPath<TrainingPlan.Scenario, Double>, _ low: Double, _ high: Double,
      _ reason: String, _ text: (Double) -> String
    ) -> Row {
      row(name, text(value), field, low, high, text(value * low), text(value * high), reason)
    }
    var rows: [Row] = []
    let price = plan.hardware.dollarsPerDeviceHour
    rows.append(
      factor("price of a device", price, \.price, 0.5, 2, "rents differ by place, term and year") {
        "$" + PlanText.short($0) + "/h"
      })
    if let first = plan.costs.first, first.tokens > 0 {
      rows.append(factor("tokens", first.tokens, \.tokens, 0.75, 1.25, "a quarter less or more") { PlanText.count($0) })
      let products = TokenFLOPs(plan.configuration).products / 2
      rows.append(
        factor("parameters in products", products, \.products, 0.75, 1.25, "a quarter less or more") { PlanText.count($0) })
      let length = plan.stages[0].portions.first?.sequenceLength.value ?? 1
      rows.append(
        factor("length of sequences", length, \.sequenceLength, 0.5, 2, "attention's part grows with it") { PlanText.count($0) })
      if let share = first.utilization {
        rows.append(
          factor(
            "utilization", share, \.utilization, 0.75, min(1.25, 1 / share), "Llama 3 report: 38 to 43 %; mixtures often less"
          ) {
            PlanText.percent($0)
          })
      }
    }
    if plan.configuration.predictionLayerCount > 0, plan.stages.contains(where: { $0.work.prediction == nil }) {
      rows.append(
        row(
          "multi-token prediction", "not counted", \.predictionShare, 0, 1, "not counted", "counted",
          "the usual count leaves it out, at a utilization that includes its time", isFactor: false))
    }
    if plan.stages.count > 1 {
      let hours = plan.costs.dropFirst().reduce(0) { $0 + $1.deviceHours }
      rows.append(
        factor("stages after the first", hours, \.laterStages, 0.5, 3, "data and method of later stages vary most") {
          PlanText.count($0) + " h"
        })
    }
    rows.append(
      row(
        "time lost", "0 %", \.lostShare, 0, 0.1, "0 %", "10 %",
        "crashes and restarts; Llama 3 report: over 90 % of the time was useful", isFactor: false))
    rows.append(
      row(
        "experiments before", "0 %", \.experimentShare, 0, 1, "0 %", "100 %",
        "not in the published sum, and not published; the upper end is a guess", isFactor: false))
    self.rows = rows.filter { $0.swingDollars > 0 }.sorted { $0.swingDollars > $1.swingDollars }
  }
}

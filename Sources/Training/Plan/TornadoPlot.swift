internal import Foundation

/// A sensitivity as bars around the plan's cost, the widest on top, as an SVG document that reads on light and dark ground.
public struct TornadoPlot: Sendable {
  public var svg: String

  public init(_ sensitivity: Sensitivity, title: String) {
    let rows = sensitivity.rows, base = sensitivity.dollars
    let left = 190.0, plotWidth = 470.0, rowHeight = 34.0, top = 56.0
    let width = left + plotWidth + 40, bottom = top + Double(rows.count) * rowHeight, height = bottom + 44
    let ends = rows.flatMap { [$0.dollarsAtLow, $0.dollarsAtHigh] } + [base]
    let lowest = ends.min() ?? 0, highest = ends.max() ?? 1
    // Room for the labels beside the bars.
    let margin = max(highest - lowest, highest * 1e-6, 1e-12) * 0.16
    let from = lowest - margin, to = highest + margin
    func x(_ dollars: Double) -> Double { left + (dollars - from) / (to - from) * plotWidth }
    func text(_ x: Double, _ y: Double, _ text: String, anchor: String = "start", size: Int = 11, weight: String = "normal")
      -> String
    {
      String(
        format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"\(anchor)\" font-size=\"\(size)\" font-weight=\"\(weight)\">", x, y)
        + Self.escaped(text) + "</text>\n"
    }
    var body = text(16, 22, title, size: 14, weight: "600")
    body += text(
      16, 40, "Cost when one assumption moves and the others stay: " + PlanText.dollars(base) + " as planned")
    for (index, row) in rows.enumerated() {
      let y = top + Double(index) * rowHeight
      body += text(left - 10, y + 15, row.name, anchor: "end", size: 12)
      body += text(left - 10, y + 28, "now " + row.value, anchor: "end", size: 9)
      for (dollars, label, color) in [(row.dollarsAtLow, row.low, "#4a90c4"), (row.dollarsAtHigh, row.high, "#d9822b")] {
        let start = min(x(base), x(dollars)), length = abs(x(dollars) - x(base))
        if length < 0.05 { continue }
        body += String(
          format: "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"20\" fill=\"\(color)\"/>\n", start, y + 5, length)
        let isRight = dollars > base
        body += text(x(dollars) + (isRight ? 4 : -4), y + 19, label, anchor: isRight ? "start" : "end", size: 10)
      }
    }
    body += String(format: "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#7d7d7d\"/>\n", x(base), top, bottom + 4)
    for dollars in [lowest, base, highest] {
      body += text(x(dollars), bottom + 18, PlanText.dollars(dollars), anchor: "middle")
    }
    body += text(left, bottom + 36, "blue: the low end of the assumption; orange: its high end", size: 10)
    svg =
      String(
        format: "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" ", width,
        height,
        width, height)
      + "font-family=\"system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif\" fill=\"#7d7d7d\">\n<title>"
      + Self.escaped(title) + "</title>\n" + body + "</svg>\n"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}

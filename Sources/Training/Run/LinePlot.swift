internal import Foundation

/// Lines, over steps unless told otherwise, as an SVG document that reads on light and dark ground.
public struct LinePlot {
  public struct Series {
    public var name: String
    public var color: String
    public var points: [(x: Double, y: Double)]
    /// Points are marked, for lines with few of them.
    public var isMarked = false

    public init(name: String, color: String, points: [(x: Double, y: Double)], isMarked: Bool = false) {
      self.name = name
      self.color = color
      self.points = points
      self.isMarked = isMarked
    }
  }

  public static let blue = "#4a90c4"
  public static let orange = "#d9822b"
  /// Points beside each other that no eye can tell apart are drawn as their mean.
  private static let mostPoints = 800
  public var svg: String

  /// - Parameter axis: what x counts, in whole numbers; `countsWhole` false for what it measures.
  public init(title: String, subtitle: String, series: [Series], axis: String = "steps", countsWhole: Bool = true) {
    let left = 64.0, plotWidth = 600.0, top = 56.0, plotHeight = 260.0
    let width = left + plotWidth + 24, bottom = top + plotHeight, height = bottom + 56
    let points = series.flatMap(\.points)
    var low = points.map(\.y).min() ?? 0, high = points.map(\.y).max() ?? 1
    let span = max(high - low, abs(high) * 1e-3)
    // A range of one value is given some width.
    let step = Self.roundStep((span > 0 ? span : 1) / 4)
    low = (low / step).rounded(.down) * step
    high = max((high / step).rounded(.up) * step, low + step)
    let first = points.map(\.x).min() ?? 0, end = points.map(\.x).max() ?? 1
    let last = end - first > abs(end) * 1e-6 ? end : first + 1
    func x(_ value: Double) -> Double { left + (value - first) / (last - first) * plotWidth }
    func y(_ value: Double) -> Double { bottom - (value - low) / (high - low) * plotHeight }
    func text(_ x: Double, _ y: Double, _ text: String, anchor: String = "start", size: Int = 11, weight: String = "normal")
      -> String
    {
      String(
        format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"\(anchor)\" font-size=\"\(size)\" font-weight=\"\(weight)\">", x, y)
        + Self.escaped(text) + "</text>\n"
    }
    var body = text(16, 22, title, size: 14, weight: "600") + text(16, 40, subtitle)
    for part in 0...Int(((high - low) / step).rounded()) {
      let value = low + step * Double(part)
      body += String(
        format: "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#7d7d7d\" stroke-opacity=\"0.25\"/>\n", left, y(value), left + plotWidth)
      body += text(left - 8, y(value) + 4, PlanText.short(value), anchor: "end")
    }
    let stepsApart = max(countsWhole ? 1 : 0, Self.roundStep((last - first) / 5))
    for value in stride(from: (first / stepsApart).rounded(.up) * stepsApart, through: last, by: stepsApart) {
      body += text(x(value), bottom + 18, countsWhole ? PlanText.count(value) : PlanText.short(value), anchor: "middle")
    }
    for (index, line) in series.enumerated() where !line.points.isEmpty {
      let shown = Self.thinned(line.points)
      let path = shown.enumerated().map { String(format: "%@%.1f %.1f", $0 == 0 ? "M" : "L", x($1.x), y($1.y)) }.joined()
      body += "<path d=\"\(path)\" fill=\"none\" stroke=\"\(line.color)\" stroke-width=\"1.5\"/>\n"
      if line.isMarked {
        for point in shown {
          body += String(format: "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"\(line.color)\"/>\n", x(point.x), y(point.y))
        }
      }
      let place = left + Double(index) * min(150, plotWidth / Double(series.count + 1))
      body += String(
        format: "<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"3\" fill=\"\(line.color)\"/>\n", place, bottom + 38)
      body += text(place + 20, bottom + 43, line.name)
    }
    body += text(left + plotWidth, bottom + 43, axis, anchor: "end")
    svg =
      String(
        format: "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" ", width,
        height, width, height)
      + "font-family=\"system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif\" fill=\"#7d7d7d\">\n<title>"
      + Self.escaped(title) + "</title>\n" + body + "</svg>\n"
  }

  /// The next of 1, 2, 5 times a power of ten.
  private static func roundStep(_ least: Double) -> Double {
    let power = pow(10, log10(least).rounded(.down))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= least * 0.999_999 } ?? 10 * power
  }

  private static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
    let width = (points.count + mostPoints - 1) / mostPoints
    guard width > 1 else { return points }
    return stride(from: 0, to: points.count, by: width).map { start in
      let part = points[start..<min(points.count, start + width)], count = Double(part.count)
      return (part.reduce(0) { $0 + $1.x } / count, part.reduce(0) { $0 + $1.y } / count)
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}

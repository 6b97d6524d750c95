internal import Foundation

/// Numbers as plans show them.
public enum PlanText {
  /// `14.8T`, `671B`, `2.66M`, `4096`: three digits and the thousands' letter.
  public static func count(_ value: Double) -> String {
    if abs(value) < 1e4, let integer = Int(exactly: value) { return "\(integer)" }
    return scaled(value, [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")])
  }

  /// `250 G`: three digits and the prefix of SI; a unit may follow.
  public static func prefixed(_ value: Double) -> String {
    scaled(
      value, [(1e24, " Y"), (1e21, " Z"), (1e18, " E"), (1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")], " ")
  }

  public static func bytes(_ value: Double) -> String { prefixed(value) + "B" }

  /// `$5.576M` with four digits from a million on, `$0.0072` below one.
  public static func dollars(_ value: Double) -> String {
    switch abs(value) {
    case 1e9...: String(format: "$%.3fB", value / 1e9)
    case 1e6...: String(format: "$%.3fM", value / 1e6)
    case 1e4...: String(format: "$%.0fK", value / 1e3)
    case 100...: String(format: "$%.0f", value)
    case 1...: String(format: "$%.2f", value)
    default: "$" + short(value)
    }
  }

  public static func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }

  /// Three digits, without zeros behind the point: `2`, `0.39`, `0.00724`.
  public static func short(_ value: Double) -> String {
    guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
    let digits = max(0, 2 - Int(log10(abs(value)).rounded(.down)))
    let text = String(format: "%.\(min(digits, 12))f", value)
    guard text.contains(".") else { return text }
    return String(text.reversed().drop { $0 == "0" }.drop { $0 == "." }.reversed())
  }

  private static func scaled(_ value: Double, _ steps: [(Double, String)], _ plain: String = "") -> String {
    // What rounds up to a thousand belongs to the next step.
    guard let step = steps.first(where: { abs(value) >= $0.0 * 0.9995 }) else { return short(value) + plain }
    return short(value / step.0) + step.1
  }
}

import Foundation

/// Sizes as people read them: powers of 1000, as disks and the hub count.
public enum ByteCount {
  /// `98.4 MB`, `1.12 GB`: three significant digits, whole bytes below 1 kB.
  public static func text(_ bytes: Int) -> String {
    guard bytes >= 1000 else { return "\(bytes) B" }
    var value = Double(bytes)
    var unit = 0
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    // Past 999.5 three digits would round up to 1000.
    while value >= 999.5, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
    return String(format: "%.\(decimals)f ", value) + units[unit]
  }
}

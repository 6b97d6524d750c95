/// The figures of evaluations.
public enum Statistics {
  /// The chance that of `k` of `samples` answers drawn without putting back, of which `correct` are right, at least one is right:
  /// 1 - C(n - c, k) / C(n, k), without bias (Chen et al. 2021, section 2.1).
  /// - Precondition: 0 <= correct <= samples, 1 <= k <= samples.
  public static func passAtK(samples: Int, correct: Int, k: Int) -> Double {
    if samples - correct < k { return 1 }
    var missing = 1.0
    for i in (samples - correct + 1)..<(samples + 1) { missing *= 1 - Double(k) / Double(i) }
    return 1 - missing
  }

  /// Wilson's interval of 95 % for so many successes of so many trials.
  public static func wilson(successes: Double, trials: Int) -> ClosedRange<Double> {
    guard trials > 0 else { return 0...1 }
    let z = 1.959963984540054, n = Double(trials), p = successes / n
    let middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    return (successes == 0 ? 0 : middle - half)...(successes == n ? 1 : middle + half)
  }

  /// A mean over problems with its interval of 95 %.
  public struct Estimate: Sendable, Equatable {
    public var value: Double
    public var interval: ClosedRange<Double>
  }

  private static let resamples = 2000

  /// The mean of one value a problem. Its interval is the bootstrap's over problems, from the 2.5th to the 97.5th percentile of 2000
  /// resamples, the same every time. Where all values are equal, about which resamples say nothing, it is Wilson's of that share of the problems.
  /// - Parameter isRate: whether values are between 0 and 1.
  public static func estimate(_ values: [Double], isRate: Bool = true) -> Estimate {
    guard !values.isEmpty else { return Estimate(value: 0, interval: 0...(isRate ? 1 : 0)) }
    let mean = values.reduce(0, +) / Double(values.count)
    if isRate, values.allSatisfy({ $0 == values[0] }) {
      return Estimate(value: mean, interval: wilson(successes: values[0] * Double(values.count), trials: values.count))
    }
    var random = TaskRandom("bootstrap")
    let means = (0..<resamples).map { _ in
      values.indices.reduce(0.0) { sum, _ in sum + values[random.integer(0...(values.count - 1))] } / Double(values.count)
    }.sorted()
    return Estimate(value: mean, interval: means[resamples / 40]...means[resamples - 1 - resamples / 40])
  }
}

internal import Foundation

/// Time that passed, and that processors worked, since the last look.
struct RunClock {
  private var last = ContinuousClock.now
  private var lastProcessor = Self.processorSeconds

  mutating func lap() -> (elapsed: Double, processor: Double) {
    let now = ContinuousClock.now, processor = Self.processorSeconds
    defer { (last, lastProcessor) = (now, processor) }
    return (last.duration(to: now) / .seconds(1), processor - lastProcessor)
  }

  private static var usage: rusage {
    var usage = rusage()
    // RUSAGE_SELF, which has another type on each system.
    getrusage(0, &usage)
    return usage
  }

  private static var processorSeconds: Double {
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    let usage = usage
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }

  /// Most memory that was resident so far, in bytes.
  static var peakMemory: Int {
    #if canImport(Darwin)
    Int(usage.ru_maxrss)
    #else
    Int(usage.ru_maxrss) * 1024
    #endif
  }
}

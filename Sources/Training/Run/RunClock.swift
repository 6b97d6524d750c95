internal import Foundation

/// Time that passed, and that processors worked, since the last look; with the work of programs that were started and have ended, such
/// as those that reward answers.
struct RunClock {
  private var last = ContinuousClock.now
  private var lastProcessor = Self.processorSeconds

  mutating func lap() -> (elapsed: Double, processor: Double) {
    let now = ContinuousClock.now, processor = Self.processorSeconds
    defer { (last, lastProcessor) = (now, processor) }
    return (last.duration(to: now) / .seconds(1), processor - lastProcessor)
  }

  private static var usage: (own: rusage, children: rusage) {
    var own = rusage(), children = rusage()
    // RUSAGE_SELF and RUSAGE_CHILDREN, which have another type on each system.
    getrusage(0, &own)
    getrusage(-1, &children)
    return (own, children)
  }

  private static var processorSeconds: Double {
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    let (own, children) = usage
    return [own.ru_utime, own.ru_stime, children.ru_utime, children.ru_stime].reduce(0) { $0 + seconds($1) }
  }

  /// Most memory that was resident so far, in bytes.
  static var peakMemory: Int {
    #if canImport(Darwin)
    Int(usage.own.ru_maxrss)
    #else
    Int(usage.own.ru_maxrss) * 1024
    #endif
  }
}

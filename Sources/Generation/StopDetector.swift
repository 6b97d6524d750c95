/// Ends a text before the first of some stop texts, and holds back what could be the beginning of one.
struct StopDetector {
  private let texts: [String]
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop text was found. Nothing comes out any more.
  var isStopped: Bool { found != nil }
  /// The stop text that was found.
  private(set) var found: String?

  init(_ stops: [String]) {
    texts = stops
    self.stops = stops.map { Array($0.utf8) }
  }

  /// The text that is certain to come before any stop text. `text` holds whole scalars, and so does what comes out.
  mutating func append(_ text: String) -> String {
    if stops.isEmpty { return text }
    if isStopped { return "" }
    held += text.utf8
    if let start = firstStop() {
      found = zip(texts, stops).first { held[start...].starts(with: $1) }?.0
      defer { held = [] }
      return String(decoding: held[..<start], as: UTF8.self)
    }
    let kept = stops.map(overlap).max() ?? 0
    defer { held.removeFirst(held.count - kept) }
    return String(decoding: held[..<(held.count - kept)], as: UTF8.self)
  }

  /// What was held back, at the end of the text.
  mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  private func firstStop() -> Int? {
    held.indices.first { start in stops.contains { held[start...].starts(with: $0) } }
  }

  /// The length of the longest end of the held text with which the stop text begins.
  private func overlap(_ stop: [UInt8]) -> Int {
    (1..<max(1, stop.count)).last { $0 <= held.count && held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
  }
}

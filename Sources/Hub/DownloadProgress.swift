/// How far a download has come.
public struct DownloadProgress: Sendable, Equatable {
  /// The file that comes now, without its folders.
  public var file: String
  /// Counted from 1.
  public var fileIndex: Int
  public var fileCount: Int
  /// Bytes of all files of the download that are on the disk.
  public var completedBytes: Int
  /// Bytes of all its files.
  public var totalBytes: Int
  /// Over the last seconds; nil while too little has come to tell.
  public var bytesPerSecond: Double?

  public init(
    file: String, fileIndex: Int = 1, fileCount: Int = 1, completedBytes: Int, totalBytes: Int, bytesPerSecond: Double? = nil
  ) {
    self.file = file
    self.fileIndex = fileIndex
    self.fileCount = fileCount
    self.completedBytes = completedBytes
    self.totalBytes = totalBytes
    self.bytesPerSecond = bytesPerSecond
  }

  /// From 0 to 1.
  public var fraction: Double { totalBytes > 0 ? min(Double(completedBytes) / Double(totalBytes), 1) : 1 }

  /// At the present rate; nil while there is none.
  public var secondsLeft: Double? {
    guard let bytesPerSecond, bytesPerSecond > 0 else { return nil }
    return Double(max(totalBytes - completedBytes, 0)) / bytesPerSecond
  }
}

extension DownloadProgress: CustomStringConvertible {
  /// `name  45% 44.1 MB / 98.4 MB  12.3 MB/s  ETA 0:04`; a name of several files has `(2/5)` after it.
  public var description: String { line(width: .max) }

  /// The description in at most `width` columns, where they are 20 at least: what stands at the end is left out where there is no
  /// room for it, and a name that is too long loses its middle.
  public func line(width: Int) -> String {
    let percent = String(Int(fraction * 100))
    var pieces = [
      (fileCount > 1 ? " (\(fileIndex)/\(fileCount))" : "") + String(repeating: " ", count: max(4 - percent.count, 1)) + percent
        + "%", " \(ByteCount.text(completedBytes)) / \(ByteCount.text(totalBytes))",
    ]
    if let bytesPerSecond { pieces.append("  \(ByteCount.text(Int(min(bytesPerSecond, 1e15))))/s") }
    if let secondsLeft { pieces.append("  ETA \(Self.clock(secondsLeft))") }
    while pieces.count > 1, pieces.reduce(min(file.count, 8), { $0 + $1.count }) > width { pieces.removeLast() }
    let rest = pieces.joined()
    let room = max(width - rest.count, 8)
    guard file.count > room else { return file + rest }
    return file.prefix((room - 1) / 2) + "…" + file.suffix(room / 2) + rest
  }

  /// `0:04`, `12:34`, `1:02:03`.
  private static func clock(_ seconds: Double) -> String {
    guard seconds < 360_000 else { return "--:--" }
    let whole = Int(seconds.rounded(.up))
    func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return whole < 3600
      ? "\(whole / 60):\(padded(whole % 60))" : "\(whole / 3600):\(padded(whole / 60 % 60)):\(padded(whole % 60))"
  }
}

/// Called as a download goes on, ten times a second at most, and once at its end.
public typealias ProgressHandler = @Sendable (DownloadProgress) -> Void

/// Measures the rate of a download and reports it now and then.
struct ProgressMeter {
  private let handler: ProgressHandler?
  private let totalBytes: Int
  private let fileCount: Int
  private var file = ""
  private var fileIndex = 0
  /// Bytes of the files before the present one.
  private var finishedBytes = 0
  private var fileBytes = 0
  /// Bytes that came over the network, which the rate is of.
  private var receivedBytes = 0
  private var samples: [(time: ContinuousClock.Instant, receivedBytes: Int)] = []

  init(totalBytes: Int, fileCount: Int, handler: ProgressHandler?) {
    self.handler = handler
    self.totalBytes = totalBytes
    self.fileCount = fileCount
  }

  mutating func begin(file: String) {
    self.file = String(file.split(separator: "/").last ?? "")
    fileIndex += 1
    fileBytes = 0
    report()
  }

  /// - Parameter bytes: of the file, that just came.
  mutating func received(_ bytes: Int) {
    receivedBytes += bytes
    fileBytes += bytes
    if let last = samples.last, last.time.duration(to: .now) < .milliseconds(100) { return }
    report()
  }

  /// - Parameter bytes: of the file, that are there without having come now.
  mutating func found(_ bytes: Int) {
    fileBytes = bytes
    report()
  }

  mutating func end(byteCount: Int) {
    finishedBytes += byteCount
    fileBytes = 0
    report()
  }

  private mutating func report() {
    guard let handler else { return }
    let now = ContinuousClock.now
    samples.append((now, receivedBytes))
    // The last five seconds, but two samples at least.
    while samples.count > 2, samples[1].time.duration(to: now) > .seconds(5) { samples.removeFirst() }
    var rate: Double?
    if let first = samples.first, receivedBytes > first.receivedBytes {
      let elapsed = first.time.duration(to: now) / .seconds(1)
      if elapsed > 0 { rate = Double(receivedBytes - first.receivedBytes) / elapsed }
    }
    handler(
      DownloadProgress(
        file: file, fileIndex: min(max(fileIndex, 1), fileCount), fileCount: fileCount,
        completedBytes: min(finishedBytes + fileBytes, totalBytes), totalBytes: totalBytes, bytesPerSecond: rate))
  }
}

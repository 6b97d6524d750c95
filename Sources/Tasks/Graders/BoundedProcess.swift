internal import Foundation

/// A program in a process of its own, with bounds on time, memory and output.
///
/// This guards against mistakes, endless loops and full memory. It is no guard against malice: a program may read and write what the
/// user may.
package struct BoundedProcess {
  /// A path, or a name that is looked up in `PATH`.
  var executable: String
  var arguments: [String]
  /// nil for this process's own.
  var environment: [String: String]?
  /// nil for a folder that is empty, and gone afterwards.
  var folder: String?
  /// Of the clock.
  var seconds: Double
  /// Of processor time; nil for no limit of its own.
  var processorSeconds: Int?
  /// nil for no limit.
  var memoryBytes: Int?
  /// What it may write to its output, and to its errors.
  var outputBytes: Int
  /// What it may write to a file; nil for no limit.
  var fileBytes: Int?

  package init(
    executable: String, arguments: [String], environment: [String: String]? = nil, folder: String? = nil, seconds: Double,
    processorSeconds: Int? = nil, memoryBytes: Int? = nil, outputBytes: Int, fileBytes: Int? = nil
  ) {
    (self.executable, self.arguments, self.environment, self.folder) = (executable, arguments, environment, folder)
    (self.seconds, self.processorSeconds, self.memoryBytes) = (seconds, processorSeconds, memoryBytes)
    (self.outputBytes, self.fileBytes) = (outputBytes, fileBytes)
  }

  package enum Ending: Equatable {
    case exited(Int32)
    case signal(Int32)
    /// It was ended: it took too long, or wrote too much.
    case late
    case tooMuchOutput
  }

  package struct Result {
    package var ending: Ending
    package var output: [UInt8]
    package var errors: [UInt8]
  }

  /// What a process and all that it starts have in their environment, so that they are found when they left its group.
  private static let mark = "SWIFTLET_BOUNDED_PROCESS"
  /// How often the output's length is looked at.
  private static let interval = 0.02

  /// Runs the program to its end, and ends what it started. It blocks for as long as that takes.
  /// - Parameters:
  ///   - input: what stands on its standard input.
  ///   - isCancelled: asked now and then; when it says so, the program is ended.
  /// - Throws: what the file system says when the process cannot be prepared or started; `CancellationError`.
  package func run(input: [UInt8] = [], isCancelled: () -> Bool = { false }) throws -> Result {
    let id = UUID().uuidString
    let own = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-process-\(id)")
    try FileManager.default.createDirectory(
      at: own, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: own) }
    func file(_ name: String, _ bytes: [UInt8] = []) throws -> URL {
      let url = own.appendingPathComponent(name)
      try Data(bytes).write(to: url)
      return url
    }
    let inputFile = try file("input", input), outputFile = try file("output"), errorFile = try file("errors")
    let work = own.appendingPathComponent("work")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: false)
    let standardInput = try FileHandle(forReadingFrom: inputFile), standardOutput = try FileHandle(forWritingTo: outputFile)
    let standardError = try FileHandle(forWritingTo: errorFile)
    defer { for handle in [standardInput, standardOutput, standardError] { try? handle.close() } }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", limits + "exec \"$0\" \"$@\"", executable] + arguments
    process.environment = (environment ?? ProcessInfo.processInfo.environment).merging(
      [Self.mark: id].merging(environment == nil ? [:] : ["HOME": work.path]) { $1 }
    ) { $1 }
    process.currentDirectoryURL = folder.map { URL(fileURLWithPath: $0) } ?? work
    process.standardInput = standardInput
    process.standardOutput = standardOutput
    process.standardError = standardError
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try Self.withoutBlockedSignals { try process.run() }
    let deadline = ContinuousClock.now + .seconds(seconds)
    var stopped: Ending?, wasCancelled = false
    while ended.wait(timeout: .now() + Self.interval) == .timedOut {
      if max(Self.size(outputFile), Self.size(errorFile)) > outputBytes { stopped = .tooMuchOutput }
      let hasEnded = Self.isZombie(process.processIdentifier)
      if !hasEnded, ContinuousClock.now >= deadline { stopped = .late }
      wasCancelled = isCancelled()
      if stopped == nil, !hasEnded, !wasCancelled { continue }
      // Foundation makes it the leader of a group on some systems. It tells of its end when all have ended that it started, since
      // they have a socket from it.
      kill(-process.processIdentifier, SIGKILL)
      if !hasEnded { kill(process.processIdentifier, SIGKILL) }
      Self.endRest(marked: "\(Self.mark)=\(id)")
      ended.wait()
      break
    }
    kill(-process.processIdentifier, SIGKILL)
    Self.endRest(marked: "\(Self.mark)=\(id)")
    if wasCancelled { throw CancellationError() }
    if stopped == nil, max(Self.size(outputFile), Self.size(errorFile)) > outputBytes { stopped = .tooMuchOutput }
    func bytes(_ file: URL) throws -> [UInt8] {
      Array(try FileHandle(forReadingFrom: file).read(upToCount: outputBytes) ?? Data())
    }
    let status = process.terminationStatus
    let ending = stopped ?? (process.terminationReason == .uncaughtSignal ? .signal(status) : .exited(status))
    return Result(ending: ending, output: try bytes(outputFile), errors: try bytes(errorFile))
  }

  private var limits: String {
    var text = "ulimit -c 0; "
    if let processorSeconds { text += "ulimit -t \(processorSeconds); " }
    if let fileBytes { text += "ulimit -f \(fileBytes / 512); " }
    if let memoryBytes { text += "ulimit -v \(memoryBytes / 1024) 2>/dev/null; " }
    return text
  }

  private static func size(_ file: URL) -> Int {
    var status = stat()
    return stat(file.path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// A child has its parent's blocked signals, and threads of queues block most of them: an alarm would not end it.
  private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
    var none = sigset_t(), blocked = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &blocked)
    defer { pthread_sigmask(SIG_SETMASK, &blocked, nil) }
    try body()
  }

  /// Ends what left the process's group, such as a session of its own. Only Linux tells the environment of processes.
  private static func endRest(marked mark: String) {
    #if os(Linux)
    let sought = Array(mark.utf8) + [0]
    // What is ended may just have started another.
    for _ in 0..<10 {
      var found = false
      for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
        guard let process = pid_t(name), process != getpid(), let file = fopen("/proc/\(name)/environ", "r") else { continue }
        defer { fclose(file) }
        var environment = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&environment, 1, environment.count, file)
        guard contains(environment[..<count], sought) else { continue }
        found = kill(process, SIGKILL) == 0 || found
      }
      if !found { return }
      usleep(1000)
    }
    #endif
  }

  /// Whether a child has ended that nobody has asked for its status yet; false where the system does not tell.
  private static func isZombie(_ process: pid_t) -> Bool {
    guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 256)
    let count = fread(&text, 1, text.count, file)
    // Behind the name, which stands in parentheses and may hold anything.
    guard let end = text[..<count].lastIndex(of: UInt8(ascii: ")")), end + 2 < count else { return false }
    return text[end + 2] == UInt8(ascii: "Z")
  }

  private static func contains(_ bytes: ArraySlice<UInt8>, _ sought: [UInt8]) -> Bool {
    guard let first = sought.first else { return true }
    return bytes.indices.contains { bytes[$0] == first && bytes[$0...].starts(with: sought) }
  }
}

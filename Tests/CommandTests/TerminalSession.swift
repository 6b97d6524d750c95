import Foundation
import Testing

/// The command on a terminal of 80 columns and 24 rows. It is not the command's controlling terminal: Ctrl-C during an answer is sent
/// as the signal it would cause.
final class TerminalSession {
  private let terminal: Int32
  private let process: Process
  private var output: [UInt8] = []
  /// What `expect` has not looked at yet.
  private var position = 0

  var byteCount: Int { output.count }

  init(_ runner: CommandRunner, _ arguments: [String], environment: [String: String] = [:]) throws {
    var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
    var ends: (terminal: Int32, side: Int32) = (-1, -1)
    try #require(openpty(&ends.terminal, &ends.side, nil, nil, &size) == 0)
    terminal = ends.terminal
    // The command shall hold no end but its own, or the terminal would never close.
    _ = fcntl(terminal, F_SETFD, FD_CLOEXEC)
    process = try runner.process(arguments, environment)
    let handle = FileHandle(fileDescriptor: ends.side, closeOnDealloc: true)
    process.standardInput = handle
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    try handle.close()
  }

  deinit {
    if process.isRunning { process.terminate() }
    close(terminal)
  }

  func type(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  func interrupt() { process.interrupt() }
  func terminate() { process.terminate() }

  /// Waits for a text and returns what came before it, since the last call.
  @discardableResult
  func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let wanted = Array(text.utf8)
    while true {
      if let start = output[position...].firstRange(of: wanted)?.lowerBound {
        defer { position = start + wanted.count }
        return String(decoding: output[position..<start], as: UTF8.self)
      }
      guard receive() else {
        let rest = String(decoding: output[position...], as: UTF8.self)
        throw MissingOutput(description: "expected \(text.debugDescription), found \(rest.debugDescription)")
      }
    }
  }

  /// Waits for the end and returns the status, or the number of the signal.
  func end() -> Int32 {
    while receive() {}
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Whether the terminal collects lines and shows what is typed, as a shell wants it.
  var isCooked: Bool {
    var state = termios()
    return tcgetattr(terminal, &state) == 0 && state.c_lflag & tcflag_t(ICANON | ECHO) == tcflag_t(ICANON | ECHO)
  }

  /// False at the end of output, and when nothing came for long.
  private func receive() -> Bool {
    var descriptor = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, 60_000) > 0 else { return false }
    var count = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initializedCount in
      count = read(terminal, buffer.baseAddress, buffer.count)
      initializedCount = max(0, count)
    }
    output += bytes
    return count > 0
  }
}

struct MissingOutput: Error, CustomStringConvertible {
  let description: String
}

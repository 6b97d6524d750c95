import Dispatch
import Foundation
import Synchronization

/// The terminal as a place to type: raw mode and the size of what is printed.
enum Terminal {
  /// Columns; 80 when it cannot be known.
  static func width(_ descriptor: Int32) -> Int { size(descriptor).map { Int($0.ws_col) } ?? 80 }

  /// Rows; 24 when it cannot be known.
  static func height(_ descriptor: Int32) -> Int { size(descriptor).map { Int($0.ws_row) } ?? 24 }

  private static func size(_ descriptor: Int32) -> winsize? {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0 ? size : nil
  }

  /// The state before raw mode, while that is on.
  private static let original = Mutex<termios?>(nil)

  /// Gives the terminal back as it was found, however the process ends.
  ///
  /// `nonisolated(unsafe)`: made once, and nothing but their being alive is used.
  private nonisolated(unsafe) static let guards: [any DispatchSourceSignal] = {
    atexit { Terminal.restore() }
    return [SIGTERM, SIGHUP].map { number in
      Interrupt.watch(number) {
        restore()
        signal(number, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
      }
    }
  }()

  /// Runs `body` with keys delivered one by one and not shown, and with pasted texts marked as such.
  static func raw<Result>(_ body: () throws -> Result) rethrows -> Result {
    var state = termios()
    guard tcgetattr(STDIN_FILENO, &state) == 0 else { return try body() }
    _ = guards
    let found = state
    original.withLock { $0 = found }
    cfmakeraw(&state)
    // Output keeps its line ends.
    state.c_oflag = found.c_oflag
    tcsetattr(STDIN_FILENO, TCSADRAIN, &state)
    Output.write("\u{1B}[?2004h")
    defer { restore() }
    return try body()
  }

  private static func restore() {
    let found = original.withLock { state in
      defer { state = nil }
      return state
    }
    // Without the lock: a terminal that is stopped may keep the writer waiting.
    guard var found else { return }
    tcsetattr(STDIN_FILENO, TCSANOW, &found)
    try? FileHandle.standardOutput.write(contentsOf: Data("\u{1B}[?2004l".utf8))
  }

  /// What a character looks like in a line that is edited.
  static func shown(_ character: Character) -> String { character == "\t" ? "    " : String(character) }

  /// Columns a character takes as shown: 0 for marks, 2 for East Asian wide ones and emoji.
  static func columns(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0x09: return 4
    case 0..<0x300: return 1
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return scalar.properties.generalCategory == .nonspacingMark ? 0 : 1
    }
  }
}

import SwiftletCheckpoints
import Testing

@Suite struct CheckpointErrorTests {
  /// Names come from the file: none may be printed whole, or steer the terminal.
  @Test func namesAreCutAndEscaped() {
    let error = CheckpointError(
      file: "a\nb", field: "x\u{1B}[31m" + String(repeating: "A", count: 20_000_000), reason: "found \u{7}\u{202E}\u{9B}")
    let text = error.description
    #expect(text == "a\\u{A}b: x\\u{1B}[31m\(String(repeating: "A", count: 74))…: found \\u{7}\\u{202E}\\u{9B}")
  }

  @Test func ordinaryTextStaysAsItIs() {
    #expect(CheckpointError(file: "ä/深度", field: "k", reason: "r").description == "ä/深度: k: r")
    #expect(CheckpointError.excerpt(String(repeating: "a", count: 80)) == String(repeating: "a", count: 80))
  }
}

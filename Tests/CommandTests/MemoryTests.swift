import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// Models larger than memory, with the built command.
@Suite(.timeLimit(.minutes(5))) struct MemoryTests {
  private let runner: CommandRunner
  private static let mixture = TinyModels.gguf("deepseek-v3")

  init() throws { runner = try CommandRunner() }

  /// The command in a shell that limits its addresses first.
  private func limited(_ kilobytes: Int, _ arguments: [String]) async throws -> CommandResult {
    let process = try runner.process(arguments)
    let command = try #require(process.executableURL).path
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "ulimit -v \(kilobytes) && exec \"$0\" \"$@\"", command] + arguments
    let output = Pipe(), errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let texts = [output, errors].map { String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    process.waitUntilExit()
    return CommandResult(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/statm"))) func aFileThatIsTooLargeIsRefused() async throws
  {
    // 8 GB that take no room on the disk.
    let path = runner.folder + "/model.gguf"
    try FileManager.default.copyItem(atPath: Self.mixture, toPath: path)
    try #require(truncate(path, 8_000_000_000) == 0)
    for arguments in [["run", path, "x"], ["bench", path], ["logits", path, "--ids", "0", "--output", "x.safetensors"]] {
      let result = try await limited(4_000_000, arguments)
      #expect(result.status == 1)
      #expect(result.errors.hasPrefix("Error: \(path) needs 8."), "\(result.errors)")
      for word in ["8.00 GB", "4.10 GB", "ulimit -v"] { #expect(result.errors.contains(word), "\(result.errors)") }
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }

  @Test func expertsOnDiskGiveTheSameLogits() async throws {
    let ids = (0..<60).map { String($0 * 3) }.joined(separator: ",")
    _ = try await runner.succeed("logits", Self.mixture, "--ids", ids, "--output", "memory.safetensors")
    _ = try await runner.succeed("logits", Self.mixture, "--ids", ids, "--output", "disk.safetensors", "--experts-on-disk")
    _ = try await runner.succeed(
      "logits", Self.mixture, "--ids", ids, "--output", "small.safetensors", "--experts-on-disk", "--expert-memory", "100kB",
      "--chunk", "7")
    _ = try await runner.succeed(
      "logits", Self.mixture, "--ids", ids, "--output", "variable.safetensors",
      environment: ["SWIFTLET_EXPERTS_ON_DISK": "0.1MB"])
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: runner.folder + "/" + name)) }
    for name in ["disk", "small", "variable"] { #expect(try bytes("\(name).safetensors") == bytes("memory.safetensors")) }
  }

  @Test func sizesThatMeanNothing() async throws {
    let small = try await runner.run(["run", Self.mixture, "x", "--experts-on-disk", "--expert-memory", "1kB"])
    #expect(small.status == 1 && small.errors.contains("1.0 kB") && small.errors.contains("one expert"), "\(small.errors)")
    for arguments in [["--expert-memory", "4GB"], ["--experts-on-disk", "--expert-memory", "much"]] {
      let result = try await runner.run(["run", Self.mixture, "x"] + arguments)
      #expect(result.status == 64 && result.errors.contains("--expert-memory"), "\(result.errors)")
    }
    let variable = try await runner.run(["run", Self.mixture, "x"], environment: ["SWIFTLET_EXPERTS_ON_DISK": "much"])
    #expect(variable.status == 1 && variable.errors.contains("SWIFTLET_EXPERTS_ON_DISK"), "\(variable.errors)")
  }
}

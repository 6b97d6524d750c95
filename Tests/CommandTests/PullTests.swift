import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletTestSupport

/// The built command and a hub on the loopback address.
@Suite(.timeLimit(.minutes(2))) struct PullTests {
  private let runner: CommandRunner
  private let server: FakeHub
  private static let size = 400_000

  init() throws {
    runner = try CommandRunner()
    server = try FakeHub()
    server["org/tiny"] = .init(files: [.init(path: "tiny-Q8_0.gguf", content: (0..<Self.size).map { UInt8($0 % 251) })])
  }

  private func run(
    _ arguments: String..., environment: [String: String] = [:], while body: (Process) async throws -> Void = { _ in }
  ) async throws -> CommandResult {
    let variables = ["HF_HUB_OFFLINE": "0", "HF_ENDPOINT": server.endpoint].merging(environment) { $1 }
    return try await runner.run(arguments, environment: variables, while: body)
  }

  private func wait(until condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(10)) }
  }

  private var interrupted: Int {
    let blobs = runner.folder + "/hf/hub/models--org--tiny/blobs"
    let name = try? FileManager.default.contentsOfDirectory(atPath: blobs).first { $0.hasSuffix(".incomplete") }
    let size = name.flatMap { try? FileManager.default.attributesOfItem(atPath: blobs + "/" + $0)[.size] as? Int }
    return size ?? 0
  }

  @Test func aModelIsFetched() async throws {
    server.fail("/tree/", .status(503))
    let result = try await run("pull", "org/tiny", "--json")
    #expect(result.status == 0)
    #expect(try result.json["model"]?.string == "org/tiny")
    let path = try #require(try result.json["paths"]?.elements?.first?.string)
    #expect(FileManager.default.contents(atPath: path)?.count == Self.size)
    let lines = result.errors.split(separator: "\n")
    #expect(lines.first == "waiting 1 s: 127.0.0.1 answered with status 503" || lines.first?.hasPrefix("waiting 2 s") == true)
    #expect(lines.last?.hasPrefix("tiny-Q8_0.gguf 100% 400 kB / 400 kB") == true)
    #expect(try await run("pull", "org/tiny").output == path + "\n")
  }

  @Test(arguments: ["pull", "show"]) func ctrlCKeepsWhatCame(command: String) async throws {
    server.fail("/storage/", .slow(bytesPerTenMilliseconds: 1000))
    let stopped = try await run(command, "org/tiny") { process in
      try await wait { interrupted > 5000 }
      process.interrupt()
    }
    #expect(stopped.status == 130 && stopped.output.isEmpty)
    #expect(interrupted > 5000)
    let list = try await run("list").output
    #expect(list.contains("org/tiny:incomplete") && list.contains("incomplete\n"))
    #expect(try await run("pull", "org/tiny").status == 0)
    #expect(server.requests("/storage/").last?.rangeStart ?? 0 > 5000)
    #expect(interrupted == 0)
  }

  @Test func aRefusalSaysWhatToDo() async throws {
    server["org/tiny"]?.token = "right"
    let refused = try await run("pull", "org/tiny")
    #expect(refused.status == 1 && refused.errors.hasPrefix("Error: org/tiny needs a login (status 401). Set HF_TOKEN"))
    let wrong = try await run("pull", environment: ["HF_TOKEN": "wrong"])
    #expect(wrong.status == 1 && wrong.errors.contains("The hub has no model"))
    #expect(try await run("pull", "org/tiny", environment: ["HF_TOKEN": "right"]).status == 0)
  }

  @Test func aModelOfNoUseIsNotFetchedToRun() async throws {
    server["org/small"] = .init(files: [.init(path: "m-IQ2_XS.gguf", content: [1])])
    let result = try await run("run", "org/small", "Hi")
    #expect(result.status == 1 && result.errors.contains("types of IQ2_XS"))
    #expect(server.requests("/storage/").isEmpty)
  }

  /// Python, its temporary files and the fallback's line: what happens without a hub.
  @Test func ctrlCEndsPip() async throws {
    let tools = runner.folder + "/tools"
    try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
    _ = try runner.file("tools/python3", "#!/bin/sh\necho $$ > '\(tools)/pid'\nexec sleep 100\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tools + "/python3")
    let path = tools + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    var pid: Int32?
    let result = try await run("chat", environment: ["PATH": path, "HF_ENDPOINT": "http://127.0.0.1:9"]) { process in
      try await wait {
        pid = (try? runner.read("tools/pid")).flatMap { Int32($0.dropLast()) }
        return pid != nil
      }
      process.interrupt()
    }
    #expect(result.status == 130)
    #expect(result.errors.hasPrefix("The hub cannot be reached (no connection to 127.0.0.1: "))
    #expect(result.errors.contains("); taking smollm2.\n"))
    #expect(try kill(#require(pid), 0) == -1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: runner.folder + "/hf/swiftlet") == [".locks"])
  }
}

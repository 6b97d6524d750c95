import Foundation
import Testing

@testable import SwiftletTasks

@Suite(.timeLimit(.minutes(1))) struct GraderCommandTests {
  private static let rows = [
    GraderCommand.Row(prompt: "1 + 1?", response: "<think>\none and one\n</think>\n2"),
    GraderCommand.Row(prompt: "ü\"\n", response: ""),
  ]

  private func reasons(_ command: String, seconds: Double = 5) -> [String] {
    GraderCommand(command, seconds: seconds, outputBytes: 1 << 16).scores(of: Self.rows).map {
      if case .failure(let failure) = $0 { failure.description } else { "" }
    }
  }

  @Test func aNumberComesForEachLine() throws {
    let command = #"while read -r line; do echo "$line" | grep -c 'one and one' || true; done"#
    let answers = GraderCommand(command).scores(of: Self.rows)
    #expect(try answers.map { try $0.get() } == [1, 0])
    #expect(try GraderCommand("echo ' -1.5e2 '; echo; echo 7").scores(of: Self.rows).map { try $0.get() } == [-150, 7])
    #expect(GraderCommand("exit 1").scores(of: []).isEmpty)
  }

  @Test func oneAnswerIsGradedByItself() async throws {
    let command = GraderCommand("grep -c '\"response\":\"Paris\"' || true")
    #expect(try await command.score(prompt: "France?", response: "Paris").get() == 1)
    #expect(try await command.score(prompt: "France?", response: "Rome").get() == 0)
  }

  @Test(arguments: [
    ("sleep 100", "more than 0.5 seconds"), ("cat > /dev/null; sleep 100 & wait", "more than 0.5 seconds"),
    ("yes", "more than 65536 bytes"), ("yes >&2", "more than 65536 bytes"), ("echo ouch >&2; exit 3", "status 3: ouch"),
    ("kill -9 $$", "signal 9"), ("echo 1", "1 lines for 2 answers"), ("true", "printed nothing for 2 answers"),
    ("echo one; echo 2", "printed 'one'"), ("echo nan; echo inf", "printed 'nan'"), ("no-such-command-here", "status 127"),
  ]) func whatGoesWrongIsNamed(command: String, reason: String) {
    let start = ContinuousClock.now
    #expect(reasons(command, seconds: 0.5)[0].contains(reason), "\(reasons(command, seconds: 0.5))")
    #expect(start.duration(to: .now) < .seconds(10))
  }

  @Test func cancellingEndsTheCommand() async throws {
    let start = ContinuousClock.now
    let task = Task { try await GraderCommand("sleep 60", seconds: 60).score(prompt: "", response: "") }
    try await Task.sleep(for: .milliseconds(300))
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(start.duration(to: .now) < .seconds(20))
    let answer = GraderCommand("sleep 60").scores(of: Self.rows, isCancelled: { true })[1]
    if case .failure(let failure) = answer { #expect(failure.reason == "was cancelled") } else { Issue.record("\(answer)") }
  }

  /// What leaves the command's process group is ended with it, where the system tells who it is.
  @Test func noChildSurvives() throws {
    #if os(Linux)
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    for rest in ["sleep 100", "true; echo 1; echo 2"] {
      _ = reasons("setsid sh -c 'echo $$ > \(file); exec sleep 60' & sleep 0.3; \(rest)", seconds: 1)
      let process = try #require(pid_t(try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")[0]))
      usleep(50_000)
      // Its parent is gone, so it may wait as a zombie for a first process that takes no care.
      let state = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8))?.split(separator: " ").dropFirst(2)
        .first
      #expect(state == nil || state == "Z", "\(state ?? "")")
    }
    #endif
  }
}

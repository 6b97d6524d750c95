import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// Budgets of thought, several answers, and curves of both, by the command.
@Suite(.timeLimit(.minutes(2))) struct ThinkingTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  private func succeed(_ arguments: [String]) async throws -> CommandResult {
    let result = try await runner.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    return result
  }

  private func thinker() throws -> String { try TinyModels.chat(in: runner.folder, opensThought: true) }

  @Test(arguments: [
    (["--think", "off"], "", "aaaa"), (["--think", "max"], "aaaa", ""), ([], "aaaa", ""), (["--think", "low"], "aaaa", ""),
  ]) func runThinksAsItIsTold(arguments: [String], reasoning: String, text: String) async throws {
    let json = try await succeed(
      ["run", try thinker(), "Hi", "--max-tokens", "4", "--logit-bias", "97=1000", "--json"] + arguments
    ).json
    #expect(json["reasoning"]?.string == reasoning && json["text"]?.string == text)
    #expect((json["reasoning_tokens"]?.integer ?? 0) == reasoning.utf8.count)
  }

  @Test func budgetAndMinimumAreTokens() async throws {
    let arguments = ["run", try thinker(), "Hi", "--max-tokens", "40", "--json"]
    let short = try await succeed(arguments + ["--think", "3", "--logit-bias", "97=1000"]).json
    #expect(short["reasoning"]?.string == "aaa" && short["text"]?.string?.hasPrefix("aaaa") == true)
    let long = try await succeed(arguments + ["--think-min", "8", "--logit-bias", "256=1000"]).json
    #expect(long["reasoning"]?.string == "WaitWait" && long["finish_reason"]?.string == "stop")
  }

  @Test func aBudgetWithoutAThoughtIsTold() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let arguments = ["run", model, "Hi", "--max-tokens", "3", "--logit-bias", "97=1000"]
    let result = try await succeed(arguments + ["--think", "50"])
    #expect(result.output == "aaa\n" && result.errors.contains("--think had no effect"))
    for more in [[], ["--samples", "2", "--vote"]] {
      let told = try await succeed(arguments + ["--think", "50", "--json"] + more)
      #expect(try told.json["text"]?.string == "aaa" && told.errors.contains("--think had no effect"))
    }
    for budget in [[], ["--think", "off"]] {
      #expect(try await !succeed(arguments + budget).errors.contains("--think"))
    }
  }

  @Test(arguments: [
    (["run", "m", "x", "--think", "lots"], "expected off, low, high, max or a number"),
    (["run", "m", "x", "--think", "5", "--think-min", "6"], "--think-min"),
    (["run", "m", "x", "--think-min", "-1"], "--think-min"),
    (["eval", "--api", "http://x", "--think-min", "-1"], "--think-min"),
    (["eval", "m", "--budgets", "1,2", "--think-min", "-1"], "--think-min"),
    (["eval", "m", "--budgets", "low,1024"], "the same budget"), (["eval", "m", "--budgets", "0,5,off"], "the same budget"),
    (["run", "m", "x", "--raw", "--think", "5"], "exclude --raw"),
    (["run", "m", "x", "--samples", "3"], "--vote, --best-by or --grader"),
    (["run", "m", "x", "--vote"], "give --samples"),
    (["run", "m", "x", "--samples", "2", "--vote", "--grader", "c"], "exclude each other"),
    (["run", "m", "x", "--samples", "2", "--best-by", "luck"], "likelihood"),
    (["run", "m", "x", "--samples", "0", "--vote"], "1 to 256"),
    (["run", "m", "--batch", "a", "--output", "b", "--samples", "2", "--vote"], "excludes --batch"),
    (["run", "m", "x", "--samples", "2", "--grader", "c", "--grader-seconds", "0"], "above 0"),
    (["run", "m", "x", "--samples", "2", "--vote", "--grader-seconds", "9"], "goes with --grader"),
    (["run", "m", "x", "--parallel", "9"], "goes with --batch"), (["bench", "m", "--draft-tokens", "9"], "goes with --draft"),
    (["tokenize", "m", "--decode", "--json"], "leave --json out"),
    (["eval", "m", "--vote"], "give --samples"), (["eval", "m", "--plots", "p"], "goes with --budgets"),
    (["eval", "m", "--budgets", "1,x"], "found 'x'"), (["eval", "m", "--budgets", "1", "--think", "2"], "exclude each other"),
    (["eval", "--api", "http://x", "--samples", "2", "--best-by", "likelihood"], "instead of --api"),
  ]) func wrongArgumentsAreNamed(arguments: [String], reason: String) async throws {
    let result = try await runner.run(arguments)
    #expect(result.status == 64 && result.errors.contains(reason), "\(result.errors)")
  }

  // MARK: Several answers

  @Test func runChoosesOneAnswer() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let arguments = ["run", model, "Hi", "--max-tokens", "6", "--temperature", "1", "--samples", "4"]
    let json = try await succeed(arguments + ["--vote", "--json"]).json
    let answers = try #require(json["answers"]?.elements), chosen = try #require(json["chosen"]?.integer)
    #expect(answers.count == 4 && json["text"]?.string == answers[chosen]["text"]?.string)
    #expect(json["vote"]?["counts"]?.elements?.isEmpty == false)
    let likely = try await succeed(arguments + ["--best-by", "likelihood", "--json"]).json
    #expect(likely["scores"]?.elements?.count == 4 && likely["answers"]?.elements?[0]["log_probability"] != nil)
    #expect(likely["answers"]?.elements?.map { $0["text"]?.string } == answers.map { $0["text"]?.string })
    let same = try await succeed(arguments + ["--vote", "--logit-bias", "55=1000"])
    #expect(same.output == "777777\n" && same.errors.contains("4 of 4 say 777777"))
  }

  @Test func aGraderChooses() async throws {
    let model = try TinyModels.chat(in: runner.folder)
    let arguments = ["run", model, "Hi", "--max-tokens", "6", "--temperature", "1", "--samples", "3", "--json", "--grader"]
    // It remembers that it was asked, and likes the second answer.
    let script = try runner.file(
      "grade.sh", "read -r line; echo \"$line\" >> asked.jsonl; test \"$(wc -l < asked.jsonl)\" = 2 && echo 1 || echo 0")
    let json = try await succeed(arguments + ["sh \(script)"]).json
    #expect(json["chosen"]?.integer == 1 && json["scores"]?.elements?.map(\.double) == [0, 1, 0])
    let row = try JSONValue(parsing: String(runner.read("asked.jsonl").split(separator: "\n")[1]))
    #expect(row["prompt"]?.string == "Hi" && row["response"]?.string == json["text"]?.string)
    let broken = try await succeed(arguments + ["echo no"])
    #expect(try broken.json["chosen"]?.integer == 0 && broken.json["scores"]?.serialized() == "[null,null,null]")
    #expect(broken.errors.contains("the grader 'echo no' printed 'no', expected a number"))
    let slow = try await succeed(arguments + ["sleep 60", "--grader-seconds", "0.2"])
    #expect(slow.errors.contains("more than 0.2 seconds"))
  }

  @Test func chatHasTheSettings() async throws {
    let input = """
      /set think off
      /set samples 3
      Hi
      /show
      /set samples 1
      /set think 2
      /set think_min 3
      /set think lots
      /set samples many
      /set best_by likelihood
      /set think default
      /set think_min 100
      /set think 50
      /show
      /set think_min 0
      Hi
      """
    let result = try await runner.run(
      ["chat", try thinker(), "--logit-bias", "55=1000", "--max-tokens", "4"], input: Array(input.utf8))
    #expect(result.status == 0 && result.output == "7777\n\n", "\(result.output)")
    for text in [
      "3 of 3 say 7777", "think               off\n", "samples             3\n", "a thought has at most 2", "found 'lots'",
      "found 100, but a thought has at most 50", "default, at least 100\n",
      "found 'many'",
    ] { #expect(result.errors.contains(text), "\(result.errors)") }
  }

  // MARK: Curves

  @Test func evaluationsByBudget() async throws {
    let arguments = [
      "eval", try thinker(), "--tasks", "parity", "--problems", "3", "--samples", "4", "--max-tokens", "30", "--temperature", "1",
      "--budgets", "0,5,max", "--vote",
    ]
    let json = try await succeed(arguments + ["--json", "--out", "a.jsonl", "--plots", "plots"]).json
    let rows = try #require(json["budgets"]?.elements)
    #expect(rows.map { $0["budget"]?.string } == ["off", "5", "max"])
    #expect(rows.map { $0["max_thinking_tokens"]?.integer } == [0, 5, nil])
    let thoughts = rows.compactMap { $0["mean_reasoning_tokens"]?["value"]?.double }
    #expect(thoughts.count == 3 && thoughts[0] == 0 && (5...16).contains(thoughts[1]) && thoughts[2] > thoughts[1])
    for row in rows {
      #expect((row["seconds_per_answer"]?.double ?? 0) > 0)
      #expect(row["maj@1"]?["value"]?.double == row["pass@1"]?["value"]?.double)
      #expect(row["maj@4"]?.serialized() == row["cons@4"]?.serialized() && row["maj@2"] != nil)
    }
    for name in ["thought", "seconds", "samples"] { #expect(try runner.read("plots/\(name).svg").hasSuffix("</svg>\n")) }
    for name in ["a.0.jsonl", "a.5.jsonl", "a.max.jsonl"] { #expect(try runner.read(name).split(separator: "\n").count == 13) }
    // Answers that are there already take no seconds.
    let again = try await succeed(arguments + ["--out", "a.jsonl"])
    #expect(again.output.hasPrefix("budget ") && again.output.contains(" s/answer ") && again.output.contains(" maj@4 %"))
    #expect(again.output.split(separator: "\n").dropFirst().allSatisfy { $0.contains("  -  ") }, "\(again.output)")
  }

  /// What cannot be written is told before anything is asked.
  @Test func filesAreOpenedFirst() async throws {
    let arguments = [
      "eval", try thinker(), "--tasks", "parity", "--problems", "2", "--max-tokens", "8", "--budgets", "0,5,6",
    ]
    _ = try runner.file("a.6.jsonl", "no answers\n")
    for more in [["--out", "a.jsonl"], ["--plots", "a.6.jsonl"]] {
      let result = try await runner.run(arguments + more)
      #expect(result.status == 1 && result.errors.contains("a.6.jsonl") && !result.errors.contains("budget"), "\(result.errors)")
    }
  }

  /// Ctrl-C ends the graders too.
  @Test(arguments: [["run", "Hi"], ["eval", "--tasks", "parity", "--problems", "1"]]) func interruptsEndGraders(
    arguments: [String]
  ) async throws {
    let script = try runner.file("slow.sh", "echo $$ > started.tmp; mv started.tmp started; exec sleep 60")
    let start = ContinuousClock.now
    let all =
      [arguments[0], try TinyModels.chat(in: runner.folder)] + arguments.dropFirst()
      + ["--max-tokens", "3", "--samples", "2", "--grader", "sh \(script)"]
    let result = try await runner.run(all) { process in
      for _ in 0..<600 where (try? runner.read("started")) == nil { try await Task.sleep(for: .milliseconds(50)) }
      process.interrupt()
    }
    #expect(result.status == 130 && result.output.isEmpty, "\(result)")
    #expect(start.duration(to: .now) < .seconds(50))
    let grader = try #require(pid_t(runner.read("started").trimmingCharacters(in: .whitespacesAndNewlines)))
    #if os(Linux)
    let state = (try? String(contentsOfFile: "/proc/\(grader)/stat", encoding: .utf8))?.split(separator: " ").dropFirst(2).first
    #expect(state == nil || state == "Z", "\(state ?? "")")
    #endif
  }

  @Test func evaluationsChoose() async throws {
    let arguments = [
      "eval", try TinyModels.chat(in: runner.folder), "--tasks", "parity", "--problems", "2", "--samples", "3", "--max-tokens",
      "8",
      "--temperature", "1", "--json",
    ]
    let likely = try await succeed(arguments + ["--best-by", "likelihood", "--out", "b.jsonl"]).json
    #expect(likely["overall"]?["best@3"] != nil && likely["overall"]?["best@2"] != nil)
    #expect(try runner.read("b.jsonl").contains("\"log_probability\":-"))
    _ = try await succeed(arguments + ["--out", "d.jsonl"])
    let other = try await runner.run(arguments + ["--best-by", "likelihood", "--out", "d.jsonl"])
    #expect(other.status == 1 && other.errors.contains("log_probabilities"), "\(other.errors)")
    let graded = try await succeed(arguments + ["--grader", "echo 1.5", "--out", "c.jsonl"])
    #expect(try graded.json["overall"]?["best@3"] != nil && runner.read("c.jsonl").contains("\"score\":1.5"))
    let broken = try await succeed(arguments + ["--grader", "exit 9"])
    #expect(broken.errors.components(separatedBy: "ended with status 9").count == 2, "told once")
    #expect(broken.errors.contains("no score for 6 of 6 answers: there is no best@k"), "\(broken.errors)")
    #expect(try broken.json["overall"]?["pass@1"] != nil && broken.json["overall"]?["best@3"] == nil)
    let once = "mkdir once 2>/dev/null && echo 1"
    let partly = try await succeed(arguments + ["--parallel", "1", "--grader", once])
    #expect(partly.errors.contains("no score for 5 of 6 answers: those are chosen only"), "\(partly.errors)")
    #expect(try partly.json["overall"]?["best@3"] != nil)
  }
}

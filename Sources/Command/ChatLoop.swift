import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration

/// A conversation, driven by typed lines.
struct ChatLoop {
  let model: LanguageModel
  var session: LanguageModelSession
  var system: String?
  var options: GenerationOptions
  var showsSpeed: Bool
  var showsReasoning = true
  /// Answers to each message, of which one is chosen.
  var samples = 1
  var choice = AnswerChoice.vote
  private let printsJSON: Bool

  init(model: LanguageModel, system: String?, options: GenerationOptions, showsSpeed: Bool, printsJSON: Bool) {
    self.model = model
    self.system = system
    self.options = options
    self.showsSpeed = showsSpeed
    self.printsJSON = printsJSON
    session = LanguageModelSession(model: model, instructions: system)
  }

  /// Every line is a message. Slash commands work here too.
  /// - Parameter isTyped: somebody types them, at a terminal that shows lines alone: there are prompts, and Ctrl-C ends an answer.
  /// - Throws: `ExitCode.failure` at the end when a message was not answered and nobody was there to see it.
  mutating func runOnLines(isTyped: Bool) async throws {
    func next(_ prompt: String) -> String? {
      if isTyped { Output.write(prompt) }
      return readLine()
    }
    var isComplete = true
    while let line = next(">>> ") {
      let message = ChatMessage(first: line) { next("... ") }
      if let (name, argument) = message.command {
        if !command(name, argument) { break }
        continue
      }
      let text = message.text.trimmingWhitespace
      if text.isEmpty { continue }
      isComplete = try await answered(text, isInterruptible: isTyped) && isComplete
    }
    if !isComplete, !isTyped { throw ExitCode.failure }
  }

  mutating func runOnTerminal() async throws {
    Output.write(
      Output.bold((model.loaded.path as NSString).lastPathComponent) + Output.dim("  /help for help, Ctrl-D to leave") + "\n")
    Interrupt.ignoreWhileIdle()
    let history = ChatHistory()
    var editor = LineEditor(history: history.entries)
    while true {
      switch Terminal.raw({ Self.message(from: &editor) }) {
      case .end: return
      case .interrupted: Output.write(Output.dim("Ctrl-D or /bye leaves.") + "\n")
      case .message(let message):
        if editor.remember(message.typed) { history.append(message.typed) }
        if let (name, argument) = message.command {
          if !command(name, argument) { return }
          continue
        }
        let text = message.text.trimmingWhitespace
        if text.isEmpty { continue }
        // What was typed ahead of an answer that was stopped, or never came, was not meant for what follows.
        if !(try await answered(text, isInterruptible: true)) { editor.discardInput() }
      }
    }
  }

  private enum Typed {
    case message(ChatMessage)
    case interrupted
    case end
  }

  private static func message(from editor: inout LineEditor) -> Typed {
    switch editor.read(prompt: ">>> ") {
    case .end: return .end
    case .interrupted: return .interrupted
    case .line(let first):
      let message = ChatMessage(first: first) {
        if case .line(let next) = editor.read(prompt: "... ") { next } else { nil }
      }
      return message.isCut ? .interrupted : .message(message)
    }
  }

  /// Prints an answer as it comes; reports an error and goes on.
  /// - Parameter isInterruptible: Ctrl-C ends it, and what came stays in the conversation; else Ctrl-C ends the process.
  /// - Returns: whether the answer came to its end.
  private mutating func answered(_ prompt: String, isInterruptible: Bool) async throws -> Bool {
    do {
      return try await answer(prompt, isInterruptible: isInterruptible)
    } catch let error as CancellationError {
      throw error
    } catch {
      if printsJSON { Output.line(["error": .string("\(error)")]) }
      var text = "Error: \(error)"
      if case GenerationError.promptTooLong? = error as? GenerationError {
        let limit = model.loaded.configuration.contextLength
        text += "; /clear forgets the conversation, --context sets how much fits (this model: at most \(limit))"
      }
      Output.note(text)
      return false
    }
  }

  private mutating func answer(_ prompt: String, isInterruptible: Bool) async throws -> Bool {
    options.sampleIndex = session.transcript.entries.count
    if samples > 1 { return try await chosenAnswer(prompt, isInterruptible: isInterruptible) }
    let session = session, options = options, printsJSON = printsJSON
    let showsReasoning = showsReasoning && Output.isTerminal
    let work = { @Sendable () async throws -> (Completion, speed: Double?) in
      var latest = Completion()
      var printer = AnswerPrinter(showsReasoning: showsReasoning)
      var first: ContinuousClock.Instant?, last = ContinuousClock.now
      for try await snapshot in session.streamResponse(to: prompt, options: options) {
        if !printsJSON { printer.print(snapshot.newParts(since: latest)) }
        latest = snapshot
        last = .now
        if first == nil, !latest.tokens.isEmpty { first = last }
      }
      if !printsJSON { printer.finish() }
      // An answer that was stopped has no summary.
      let seconds = first.map { $0.duration(to: last) / .seconds(1) } ?? 0
      return (latest, seconds > 0 ? Double(latest.tokens.count - 1) / seconds : nil)
    }
    let (completion, speed) = isInterruptible ? try await Interrupt.cancelling(work) : try await work()
    if printsJSON { Output.line(completion.json) }
    if showsSpeed, let summary = completion.summary {
      say(summary.line)
    } else if showsSpeed || Output.isTerminal && !printsJSON,
      let speed = completion.summary?.decodeTokensPerSecond ?? speed
    {
      say(String(format: "%.1f tokens/s", speed) + (completion.summary == nil ? " (stopped)" : ""))
    }
    return completion.summary != nil
  }

  /// Answers several times, and prints the answer that was chosen, and how.
  private func chosenAnswer(_ prompt: String, isInterruptible: Bool) async throws -> Bool {
    let session = session, options = options, samples = samples, choice = choice
    let work = { @Sendable () async throws -> SampledAnswers? in
      do {
        return try await session.respond(to: prompt, samples: samples, choosing: choice, options: options)
      } catch is CancellationError where isInterruptible {
        return nil
      }
    }
    guard let answers = isInterruptible ? try await Interrupt.cancelling(work) : try await work() else {
      say("stopped")
      return false
    }
    if printsJSON {
      Output.line(answers.json)
    } else {
      var printer = AnswerPrinter(showsReasoning: showsReasoning && Output.isTerminal)
      printer.print(answers.best.newParts(since: Completion()))
      printer.finish()
    }
    say(answers.line)
    return true
  }

  /// Tells the person something that is no answer: beside the answers on a terminal, else to standard error.
  func say(_ text: String) {
    // Settings may come from a file of somebody else's.
    if Output.isTerminal, !printsJSON { Output.write(untrusted: text) { Output.dim($0) + "\n" } } else { Output.note(text) }
  }
}

extension Completion {
  /// What this snapshot has beyond an earlier one.
  func newParts(since earlier: Completion) -> [AnswerPart] {
    let thought = String(decoding: reasoning.utf8.dropFirst(earlier.reasoning.utf8.count), as: UTF8.self)
    let said = String(decoding: content.utf8.dropFirst(earlier.content.utf8.count), as: UTF8.self)
    return (thought.isEmpty ? [] : [.reasoning(thought)]) + (said.isEmpty ? [] : [.content(said)])
  }
}

import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration

struct ChatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talks with a model.",
    discussion: """
      Ctrl-C stops the answer, Ctrl-D leaves, /help shows the commands, \"\"\"
      begins and ends a message of several lines. When standard input is no
      terminal, every line is a message, and the end of input ends the chat.

      EXAMPLES
        swiftlet chat
        swiftlet chat deepseek-r1:7b --system "Answer in Chinese."
        printf 'Hi\\nWho are you?\\n' | swiftlet chat smollm2

      ENVIRONMENT
      \(HelpText.generation)
      """)

  @Argument(help: "An alias, org/repo[:quant], or a path; the default model when left out.")
  var model: String?
  @Option(help: ArgumentHelp("What the model is told before all else.", valueName: "text"))
  var system: String?
  @Flag(help: "Shows counts and speeds after each answer.")
  var verbose = false
  @Flag(help: "Prints a JSON object for each answer.")
  var json = false
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments

  func run() async throws {
    let loaded = try await ModelFinder.load(model, engine, context)
    var chat = ChatLoop(model: loaded, system: system, options: try sampling.options, showsSpeed: verbose, printsJSON: json)
    if isatty(STDIN_FILENO) == 1, Output.isTerminal {
      try await chat.runOnTerminal()
    } else {
      try await chat.runOnLines()
    }
  }
}

/// A conversation, driven by typed lines.
struct ChatLoop {
  private let model: LanguageModel
  private var session: LanguageModelSession
  private var system: String?
  private var options: GenerationOptions
  private var showsSpeed: Bool
  private let printsJSON: Bool
  private var showsReasoning = true

  init(model: LanguageModel, system: String?, options: GenerationOptions, showsSpeed: Bool, printsJSON: Bool) {
    self.model = model
    self.system = system
    self.options = options
    self.showsSpeed = showsSpeed
    self.printsJSON = printsJSON
    session = LanguageModelSession(model: model, instructions: system)
  }

  /// Every line is a message. Slash commands work here too.
  mutating func runOnLines() async throws {
    while let line = readLine() {
      let text = line.trimmingCharacters(in: .whitespaces)
      if text.isEmpty { continue }
      if text.hasPrefix("/") {
        if !command(text) { return }
        continue
      }
      try await answer(text, isInterruptible: false)
    }
  }

  mutating func runOnTerminal() async throws {
    Output.write(
      Output.bold((model.loaded.path as NSString).lastPathComponent) + Output.dim("  /help for help, Ctrl-D to leave") + "\n")
    var editor = LineEditor()
    while true {
      switch Terminal.raw({ editor.readMessage() }) {
      case .end: return
      case .interrupted: Output.write(Output.dim("Ctrl-D or /bye leaves.") + "\n")
      case .line(let line):
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.isEmpty { continue }
        if text.hasPrefix("/") {
          if !command(text) { return }
          continue
        }
        do {
          try await answer(text, isInterruptible: true)
        } catch {
          Output.note("\(error)")
        }
      }
    }
  }

  /// Streams an answer.
  /// - Parameter isInterruptible: Ctrl-C ends it, and what came stays in the conversation; else Ctrl-C ends the process.
  private mutating func answer(_ prompt: String, isInterruptible: Bool) async throws {
    options.sampleIndex = session.transcript.entries.count
    let session = session, options = options, printsJSON = printsJSON
    let showsReasoning = showsReasoning && Output.isTerminal
    let work = { @Sendable () async throws -> Completion in
      var latest = Completion()
      var printer = AnswerPrinter(showsReasoning: showsReasoning)
      for try await snapshot in session.streamResponse(to: prompt, options: options) {
        if !printsJSON { printer.print(snapshot.newParts(since: latest)) }
        latest = snapshot
      }
      if !printsJSON { printer.finish() }
      return latest
    }
    let completion = isInterruptible ? try await Interrupt.cancelling(work) : try await work()
    if printsJSON { Output.line(completion.json) }
    if showsSpeed || Output.isTerminal && !printsJSON, let summary = completion.summary {
      Output.write(
        showsSpeed
          ? Output.dim(summary.line) + "\n" : Output.dim(String(format: "%.1f tokens/s", summary.decodeTokensPerSecond)) + "\n")
    }
  }

  /// Runs a slash command; false when the chat is over.
  private mutating func command(_ text: String) -> Bool {
    let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
    let argument = parts.count > 1 ? parts[1] : ""
    switch parts[0] {
    case "/bye", "/exit", "/quit": return false
    case "/help", "/?": Output.write(Self.help)
    case "/clear":
      session = LanguageModelSession(model: model, instructions: system)
      Output.write(Output.dim("The conversation is forgotten.") + "\n")
    case "/show": show()
    case "/set": set(argument)
    case "/save", "/load": transfer(parts[0], argument)
    default: Output.write("There is no command \(parts[0]); /help shows them.\n")
    }
    return true
  }

  private static let help = """
    /set system TEXT        tells the model something before all else, and starts anew
    /set temperature 0.6    also top_p, top_k, min_p, seed, max_tokens, repetition_penalty
    /set think on|off       shows or hides thoughts
    /set verbose on|off     shows counts and speeds
    /show                   shows model and settings
    /clear                  forgets the conversation
    /save FILE, /load FILE  keeps the conversation as JSON, and goes on with one
    /bye                    leaves; so does Ctrl-D
    \"\"\"                     begins and ends a message of several lines
    Ctrl-C                  stops the answer

    """

  private func show() {
    let configuration = model.loaded.configuration
    var rows = [
      ["model", model.loaded.path], ["architecture", configuration.architecture.rawValue],
      ["context", "\(model.engine.contextLength)"],
      ["temperature", "\(options.temperature)"], ["top_p", "\(options.topP)"], ["top_k", "\(options.topK)"],
      ["min_p", "\(options.minP)"],
      ["seed", "\(options.seed)"], ["max_tokens", options.maximumResponseTokens.map(String.init) ?? "none"],
    ]
    if let system { rows.append(["system", system]) }
    Output.write(Output.table(rows, leftAligned: 2))
  }

  private mutating func set(_ argument: String) {
    let parts = argument.split(separator: " ", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return Output.write("/set needs a name and a value; /help shows them.\n") }
    let (name, value) = (parts[0], parts[1])
    var changed = options
    switch name {
    case "system":
      system = value
      session = LanguageModelSession(model: model, instructions: value)
      return
    case "think" where ["on", "off"].contains(value): showsReasoning = value == "on"
    case "verbose" where ["on", "off"].contains(value): showsSpeed = value == "on"
    case "temperature", "top_p", "min_p", "repetition_penalty":
      guard let number = Double(value) else { return Output.write("\(name): found '\(value)', expected a number.\n") }
      switch name {
      case "temperature": changed.temperature = number
      case "top_p": changed.topP = number
      case "min_p": changed.minP = number
      default: changed.repetitionPenalty = number
      }
    case "top_k", "max_tokens", "seed":
      guard let number = UInt64(value), let integer = Int(exactly: name == "seed" ? 0 : number) else {
        return Output.write("\(name): found '\(value)', expected a whole number from 0.\n")
      }
      switch name {
      case "top_k": changed.topK = integer
      case "max_tokens": changed.maximumResponseTokens = integer
      default: changed.seed = number
      }
    default: return Output.write("There is no setting '\(name) \(value)'; /help shows them.\n")
    }
    do {
      try changed.validate(vocabularySize: model.loaded.configuration.vocabularySize)
      options = changed
    } catch {
      Output.write("\(error)\n")
    }
  }

  private mutating func transfer(_ command: String, _ file: String) {
    guard !file.isEmpty else { return Output.write("\(command) needs a file's name.\n") }
    let path = (file as NSString).expandingTildeInPath
    do {
      if command == "/save" {
        try Data((session.transcript.json.serialized() + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        Output.write(Output.dim("Saved \(path).") + "\n")
      } else {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        session = LanguageModelSession(model: model, transcript: try Transcript(json: Array(data)))
        Output.write(Output.dim("\(session.transcript.entries.count) messages.") + "\n")
      }
    } catch {
      Output.write("\(path): \(error)\n")
    }
  }
}

extension LineEditor {
  /// A line, or the lines between `"""` and `"""`.
  mutating func readMessage() -> Outcome {
    let outcome = read(prompt: ">>> ")
    guard case .line(let first) = outcome else { return outcome }
    var message = first
    if first.hasPrefix("\"\"\"") {
      message = String(first.dropFirst(3))
      while !message.hasSuffix("\"\"\"") {
        guard case .line(let next) = read(prompt: "... ") else { return .interrupted }
        message += "\n" + next
      }
      message = String(message.dropLast(3))
    }
    remember(message)
    return .line(message)
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

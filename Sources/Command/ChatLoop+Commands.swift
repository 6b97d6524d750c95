import Foundation
import Swiftlet
import SwiftletGeneration

/// What begins with a slash.
extension ChatLoop {
  /// Runs a command; false when the chat is over.
  mutating func command(_ name: String, _ argument: String) -> Bool {
    switch name {
    case "/bye", "/exit", "/quit": return false
    case "/help", "/?": say(Self.help)
    case "/clear":
      session = LanguageModelSession(model: model, instructions: system)
      say("The conversation is forgotten.")
    case "/show": show()
    case "/set": set(argument)
    case "/save": save(argument)
    case "/load": load(argument)
    default:
      say("There is no command \(name); /help shows them. A message that begins with a slash stands between \"\"\" and \"\"\".")
    }
    return true
  }

  private static let help = """
    /set system TEXT        tells the model something before all else; none: nothing
    /set temperature 0.6    also top_p, top_k, min_p, seed, repetition_penalty,
                            frequency_penalty, presence_penalty
    /set max_tokens 100     the most tokens of an answer; none: as many as fit
    /set stop TEXT          ends answers before this text; none: nowhere
    /set think 512          the most tokens of a thought; off, low, high, max;
                            default: as the model has it
    /set think_min 100      the fewest tokens of a thought
    /set thoughts on|off    shows or hides thoughts
    /set samples 8          answers to each message, of which one is chosen
    /set best_by vote       the most frequent answer; likelihood: the likeliest
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
      ["context", "\(model.engine.contextLength)"], ["think", options.thinking.description],
      ["samples", "\(samples)"], ["best_by", choice == .vote ? "vote" : "likelihood"],
      ["temperature", "\(options.temperature)"], ["top_p", "\(options.topP)"], ["top_k", "\(options.topK)"],
      ["min_p", "\(options.minP)"], ["repetition_penalty", "\(options.repetitionPenalty)"],
      ["frequency_penalty", "\(options.frequencyPenalty)"], ["presence_penalty", "\(options.presencePenalty)"],
      ["seed", "\(options.seed)"], ["max_tokens", options.maximumResponseTokens.map(String.init) ?? "none"],
    ]
    rows += options.stop.map { ["stop", $0] }
    if let system { rows.append(["system", system]) }
    say(Output.table(rows, leftAligned: 2).trimmingWhitespace)
  }

  private mutating func set(_ argument: String) {
    let parts = argument.split(separator: " ", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return say("/set needs a name and a value; /help shows them.") }
    let (name, value) = (parts[0], parts[1])
    let isNone = value == "none"
    var changed = options
    switch name {
    case "system":
      system = isNone ? nil : value
      var transcript = session.transcript
      transcript.entries = (system.map { [.instructions($0)] } ?? []) + transcript.entries.filter { !$0.isInstructions }
      session = LanguageModelSession(model: model, transcript: transcript)
      if transcript.entries.contains(where: { !$0.isInstructions }) { say("The conversation goes on; /clear forgets it.") }
      return
    case "thoughts" where ["on", "off"].contains(value): showsReasoning = value == "on"
    case "best_by" where value == "vote": choice = .vote
    case "best_by" where value == "likelihood": choice = .likelihood
    case "samples":
      guard let count = Int(value), (1...64).contains(count) else {
        return say("samples: found '\(value)', expected a number from 1 to 64.")
      }
      samples = count
    case "think":
      let minimum = changed.thinking.minimum
      guard let budget = value == "default" ? ThinkingBudget() : ThinkingBudget(value) else {
        return say("think: found '\(value)', expected off, low, high, max, default or a number of tokens.")
      }
      changed.thinking = budget
      changed.thinking.minimum = minimum
    case "think_min":
      guard let minimum = Int(value) else { return say("think_min: found '\(value)', expected a whole number from 0.") }
      changed.thinking.minimum = minimum
    case "verbose" where ["on", "off"].contains(value): showsSpeed = value == "on"
    case "temperature", "top_p", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty":
      guard let number = Double(value) else { return say("\(name): found '\(value)', expected a number.") }
      switch name {
      case "temperature": changed.temperature = number
      case "top_p": changed.topP = number
      case "min_p": changed.minP = number
      case "repetition_penalty": changed.repetitionPenalty = number
      case "frequency_penalty": changed.frequencyPenalty = number
      default: changed.presencePenalty = number
      }
    case "stop": changed.stop = isNone ? [] : [value]
    case "max_tokens" where isNone: changed.maximumResponseTokens = nil
    case "top_k", "max_tokens", "seed":
      guard let number = UInt64(value), let integer = Int(exactly: name == "seed" ? 0 : number) else {
        return say("\(name): found '\(value)', expected a whole number from 0.")
      }
      switch name {
      case "top_k": changed.topK = integer
      case "max_tokens": changed.maximumResponseTokens = integer
      default: changed.seed = number
      }
    case "thoughts", "verbose": return say("\(name): found '\(value)', expected on or off.")
    case "best_by": return say("best_by: found '\(value)', expected vote or likelihood.")
    default: return say("There is no setting '\(name)'; /help shows them.")
    }
    do {
      try changed.validate(vocabularySize: model.loaded.configuration.vocabularySize)
      options = changed
    } catch {
      say("\(error)")
    }
  }

  private func save(_ file: String) {
    guard !file.isEmpty else { return say("/save needs a file's name.") }
    let path = (file as NSString).expandingTildeInPath
    do throws(CommandError) {
      try OutputFile.write(session.transcript.json.serialized() + "\n", to: path)
      say("Saved \(path).")
    } catch {
      say("\(error).")
    }
  }

  private mutating func load(_ file: String) {
    guard !file.isEmpty else { return say("/load needs a file's name.") }
    let path = (file as NSString).expandingTildeInPath
    let data: [UInt8]
    do throws(CommandError) {
      data = try InputFile.bytes(path)
    } catch {
      return say("\(error)")
    }
    do {
      session = LanguageModelSession(model: model, transcript: try Transcript(json: data))
    } catch {
      return say("\(path): \(error)")
    }
    let entries = session.transcript.entries
    system = entries.lazy.compactMap { if case .instructions(let text) = $0 { text } else { nil } }.first
    say("\(entries.count) messages.")
  }
}

extension Transcript.Entry {
  fileprivate var isInstructions: Bool { if case .instructions = self { true } else { false } }
}

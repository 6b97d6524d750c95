public import ArgumentParser
import SwiftletGeneration

/// Options of sampling, named as in the HTTP API. What is left out is as the model's generation_config.json advises. Numbers are taken
/// `.unconditional`, since penalties may be below zero, and what may not be is no missing value.
struct SamplingArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "0 always takes the most likely token (default: what the model's generation_config.json advises, else 0.6).",
      valueName: "number"))
  var temperature: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Only the k most likely tokens; 0 for all (default: as advised, else 0).", valueName: "k"))
  var topK: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Only the most likely tokens that together have this probability (default: as advised, else 0.95).", valueName: "number"))
  var topP: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Only tokens this likely relative to the most likely one (default: as advised, else 0).", valueName: "number"))
  var minP: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Makes tokens that were seen less likely; 1 changes nothing (default: as advised, else 1).", valueName: "number"))
  var repetitionPenalty: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Subtracted from a token's logit for each time it stands in the answer.", valueName: "number"))
  var frequencyPenalty = 0.0
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Subtracted from the logits of tokens that stand in the answer.", valueName: "number"))
  var presencePenalty = 0.0
  @Option(help: ArgumentHelp("Added to a token's logit, as ID=NUMBER; may be given several times.", valueName: "id=number"))
  var logitBias: [String] = []
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The same request with the same seed gives the same answer.", valueName: "n"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Ends the answer before this text; may be given several times.", valueName: "text"))
  var stop: [String] = []
  @Option(
    name: [.long, .customLong("max-new-tokens")], parsing: .unconditional,
    help: ArgumentHelp("The most tokens to generate (default: as advised, else until the context is full).", valueName: "n"))
  var maxTokens: Int?
  @OptionGroup var thinking: ThinkingArguments
  @OptionGroup var drafting: DraftingArguments

  func validate() throws {
    do {
      try options(advised: GenerationOptions()).validate(vocabularySize: .max)
    } catch let error as GenerationError {
      throw ValidationError("\(error.asTyped).")
    }
  }

  /// - Parameter advised: what the model's files advise.
  func options(advised: GenerationOptions) throws -> GenerationOptions {
    var biases: [Int32: Double] = [:]
    for text in logitBias {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let id = Int32(parts[0]), let bias = Double(parts[1]) else {
        throw ValidationError("--logit-bias: found '\(text)', expected ID=NUMBER such as 42=-5.")
      }
      biases[id] = bias
    }
    return GenerationOptions(
      temperature: temperature ?? advised.temperature, topK: topK ?? advised.topK, topP: topP ?? advised.topP,
      minP: minP ?? advised.minP, repetitionPenalty: repetitionPenalty ?? advised.repetitionPenalty,
      frequencyPenalty: frequencyPenalty, presencePenalty: presencePenalty, logitBias: biases, seed: seed, stop: stop,
      maximumResponseTokens: maxTokens ?? advised.maximumResponseTokens, drafting: drafting.draft,
      maximumDraftTokens: drafting.draftTokens, thinking: thinking.budget)
  }
}

/// How the next tokens are guessed.
struct DraftingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Guesses the next tokens, which saves time where guesses are right and changes no answer: mtp by the checkpoint's own layer, "
        + "lookup by what followed the last tokens before, auto mtp where there is one, or none.", valueName: "kind"))
  var draft = Drafting.automatic
  @Option(help: ArgumentHelp("The most tokens to guess at once.", valueName: "n"))
  var draftTokens = 8
}

extension Drafting: ExpressibleByArgument {}

import ArgumentParser
import SwiftletGeneration

/// Options of sampling, named as in the HTTP API.
struct SamplingArguments: ParsableArguments {
  @Option(help: "0 always takes the most likely token; DeepSeek advises 0.6 for R1.")
  var temperature = 0.6
  @Option(help: "Only the k most likely tokens; 0 for all.")
  var topK = 0
  @Option(help: "Only the most likely tokens that together have this probability.")
  var topP = 0.95
  @Option(help: "Only tokens this likely relative to the most likely one.")
  var minP = 0.0
  @Option(help: "Makes tokens that were seen less likely; 1 changes nothing.")
  var repetitionPenalty = 1.0
  @Option(help: "Subtracted from a token's logit for each time it stands in the answer.")
  var frequencyPenalty = 0.0
  @Option(help: "Subtracted from the logits of tokens that stand in the answer.")
  var presencePenalty = 0.0
  @Option(help: "Added to a token's logit, as ID=NUMBER; may be given several times.")
  var logitBias: [String] = []
  @Option(help: "The same request with the same seed gives the same answer.")
  var seed: UInt64 = 0
  @Option(help: "Ends the answer before this text; may be given several times.")
  var stop: [String] = []
  @Option(
    name: [.long, .customLong("max-new-tokens")], help: "The most tokens to generate (default: until the context is full).")
  var maxTokens: Int?

  var options: GenerationOptions {
    get throws {
      var biases: [Int32: Double] = [:]
      for text in logitBias {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let id = Int32(parts[0]), let bias = Double(parts[1]) else {
          throw ValidationError("--logit-bias: found '\(text)', expected ID=NUMBER such as 42=-5.")
        }
        biases[id] = bias
      }
      return GenerationOptions(
        temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty,
        frequencyPenalty: frequencyPenalty, presencePenalty: presencePenalty, logitBias: biases, seed: seed, stop: stop,
        maximumResponseTokens: maxTokens)
    }
  }
}

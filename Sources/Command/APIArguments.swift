import ArgumentParser
import Foundation
import SwiftletJSON

/// A server that is asked instead of a model here.
struct APIArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Asks a server with OpenAI's /v1/chat/completions instead of a model here, such as http://127.0.0.1:8080.", valueName: "url"
    ))
  var api: String?
  @Option(help: ArgumentHelp("The variable of the environment that holds the server's key.", valueName: "name"))
  var apiKeyEnv: String?
  @Option(help: ArgumentHelp("The server's model (default: the first that it lists).", valueName: "name"))
  var apiModel: String?
  @Option(help: ArgumentHelp("The most requests to the server in a minute, repeated ones among them.", valueName: "n"))
  var requestsPerMinute: Double?

  func validate() throws {
    if api == nil, apiKeyEnv != nil || apiModel != nil || requestsPerMinute != nil {
      throw ValidationError("--api-key-env, --api-model and --requests-per-minute go with --api.")
    }
    try Self.check("requests-per-minute", requestsPerMinute, in: 0.01...1e6)
  }

  /// Refuses what a server has no field for, though it would change the answers of a model here.
  func check(_ context: ContextArguments, _ template: TemplateArguments) throws {
    guard api != nil, context.context != nil || template.template != nil else { return }
    throw ValidationError("--context and --template are of models here; leave them out with --api.")
  }

  var key: String? {
    get throws {
      guard let apiKeyEnv else { return nil }
      guard let key = ProcessInfo.processInfo.environment[apiKeyEnv], !key.isEmpty else {
        throw CommandError("--api-key-env: the environment has no variable '\(apiKeyEnv)'; set it to the server's key.")
      }
      // Files of keys end in line feeds, with carriage returns where they come from Windows.
      let trimmed = key.trimmingCharacters(in: .whitespacesAndNewlines)
      guard !trimmed.isEmpty, trimmed.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw CommandError(
          "--api-key-env: what '\(apiKeyEnv)' holds is no key: it has spaces or control characters inside, or nothing.")
      }
      return trimmed
    }
  }

  /// The options that were given, as servers name them; what is left out is the server's choice.
  func fields(_ sampling: SamplingArguments) throws -> [JSONMember] {
    if !sampling.logitBias.isEmpty { throw CommandError("--logit-bias: token ids are a model's own; leave it out with --api.") }
    let numbers: [(String, Double?)] = [
      ("temperature", sampling.temperature), ("top_p", sampling.topP), ("min_p", sampling.minP),
      ("repetition_penalty", sampling.repetitionPenalty),
      ("frequency_penalty", sampling.frequencyPenalty == 0 ? nil : sampling.frequencyPenalty),
      ("presence_penalty", sampling.presencePenalty == 0 ? nil : sampling.presencePenalty),
    ]
    var fields = numbers.compactMap { name, value in value.map { JSONMember(key: name, value: .number($0)) } }
    if let topK = sampling.topK { fields.append(JSONMember(key: "top_k", value: .integer(topK))) }
    if let limit = sampling.maxTokens { fields.append(JSONMember(key: "max_tokens", value: .integer(limit))) }
    if !sampling.stop.isEmpty { fields.append(JSONMember(key: "stop", value: .array(sampling.stop.map { .string($0) }))) }
    return fields
  }
}

internal import Hummingbird
internal import Logging
internal import Swiftlet
internal import SwiftletGeneration
internal import SwiftletTokenization

extension API {
  /// Looks for what the policy denies in prompts as the model would get them: all messages, tools and what the template adds.
  /// - Throws: `APIError` (400) naming the rule.
  func checkPolicy(_ requests: [GenerationRequest], _ served: ServedModel) async throws(APIError) {
    let policy = configuration.policy
    if policy.rules.isEmpty { return }
    // Those that are too long for the model are refused for that.
    let prompts = requests.filter { $0.options.sampleIndex == 0 && $0.prompt.count <= served.model.engine.contextLength }
      .map(\.prompt)
    let tokenizer = try served.tokenizer()
    let rule: Policy.Rule?
    do {
      rule = try await Self.apart {
        prompts.lazy.compactMap { policy.refusal(ofPrompt: tokenizer.decode($0)) }.first
      }
    } catch {
      throw APIError(error)
    }
    guard let rule else { return }
    await noteDenial(rule, of: "prompt")
    throw .denied(rule: rule.name, message: rule.message)
  }

  /// Counts what a rule denied, and logs the rule, not the text.
  func noteDenial(_ rule: Policy.Rule, of target: String) async {
    metrics.addDenial(rule: rule.name, target: target)
    await logger.logApart(.notice, "policy", ["rule": "\(rule.name)", "target": "\(target)"])
  }
}

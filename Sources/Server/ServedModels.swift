internal import Foundation
public import Swiftlet
internal import SwiftletChatTemplates
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// A model and the name by which requests ask for it.
public struct ServedModel: Sendable {
  public let id: String
  public let model: LanguageModel
  let created: Int
  /// What the model can do, in the words that Ollama has for it.
  let capabilities: [String]

  public init(id: String, model: LanguageModel) {
    self.id = id
    self.model = model
    created = Int(Date.now.timeIntervalSince1970)
    let known = [
      ("completion", true), ("insert", model.loaded.tokenizer?.fillInMiddle != nil), ("tools", Self.showsTools(model)),
      ("thinking", model.canThink),
    ]
    capabilities = known.filter { $0.1 }.map { $0.0 }
  }

  /// Whether the chat template shows tools to the model. Many take them and leave them out.
  private static func showsTools(_ model: LanguageModel) -> Bool {
    let name = "look_for_this_name"
    let tools: JSONValue = [
      [
        "type": "function",
        "function": [
          "name": .string(name), "description": "Looks.", "parameters": ["type": "object", "properties": .object([])],
        ],
      ]
    ]
    let text = try? model.chatPrompt?.render([["role": "user", "content": "Hi"]], tools: tools)
    return text?.contains(name) ?? false
  }

  /// - Throws: `APIError` when the model came without a tokenizer.
  func tokenizer() throws(APIError) -> Tokenizer {
    guard let tokenizer = model.loaded.tokenizer else {
      throw .malformed("\(LanguageModelError.noTokenizer(path: id))", parameter: "model")
    }
    return tokenizer
  }

  /// Whether the chat template wants the arguments of tool calls as objects.
  var parsesArguments: Bool {
    guard let template = model.loaded.template else { return false }
    let text = (template.toolText ?? template.text).filter { $0 != " " }
    return text.contains("arguments|tojson") || text.contains("arguments|items")
  }

  var json: JSONValue {
    [
      "id": .string(id), "object": "model", "created": .integer(created), "owned_by": "swiftlet",
      "context_length": .integer(model.engine.contextLength),
      "capabilities": .array(capabilities.map { .string($0) }),
    ]
  }
}

/// The models of a server, by name.
struct ServedModels: Sendable {
  let all: [ServedModel]

  /// What a request's `model` stands for.
  struct Choice {
    var served: ServedModel
    /// The name as the request gave it, which the answer repeats.
    var name: String
    /// Whether the name asks for thinking.
    var thinking: Bool?
  }

  /// DeepSeek's names for the first model.
  private static let aliases = ["deepseek-chat": false, "deepseek-reasoner": true]

  /// - Parameter isAnthropic: names of Anthropic's models stand for the first one then.
  func choice(_ fields: Fields, isAnthropic: Bool = false) throws(APIError) -> Choice {
    let name = try fields.required("model", try fields.string("model"))
    return try choice(named: name, isAnthropic: isAnthropic)
  }

  func choice(named name: String, isAnthropic: Bool = false) throws(APIError) -> Choice {
    if let served = all.first(where: { $0.id == name }) { return Choice(served: served, name: name) }
    if let first = all.first {
      if let thinking = Self.aliases[name] { return Choice(served: first, name: name, thinking: thinking) }
      if isAnthropic, name.hasPrefix("claude") { return Choice(served: first, name: name) }
    }
    throw .notFound(
      "The model '\(name.prefix(200))' does not exist; this server has \(names.joined(separator: ", ")).", parameter: "model",
      code: "model_not_found")
  }

  /// For endpoints where naming the model is not needed.
  func optionalChoice(_ fields: Fields) throws(APIError) -> Choice {
    guard fields["model"] == nil, let first = all.first else { return try choice(fields) }
    return Choice(served: first, name: first.id)
  }

  var names: [String] { all.map(\.id) + Self.aliases.keys.sorted() }

  var json: JSONValue {
    let aliases = Self.aliases.keys.sorted().compactMap { alias in all.first.map { Self.alias(alias, of: $0) } }
    return ["object": "list", "data": .array(all.map(\.json) + aliases)]
  }

  func json(named name: String) throws(APIError) -> JSONValue {
    let choice = try choice(named: name)
    return choice.name == choice.served.id ? choice.served.json : Self.alias(name, of: choice.served)
  }

  private static func alias(_ name: String, of served: ServedModel) -> JSONValue {
    guard case .object(var members) = served.json else { return .null }
    members[0].value = .string(name)
    members.append(JSONMember(key: "root", value: .string(served.id)))
    return .object(members)
  }
}

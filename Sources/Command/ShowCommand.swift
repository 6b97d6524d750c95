import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletHub
import SwiftletJSON
import SwiftletModels
import SwiftletTensors

struct ShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Describes a model: its shape, types, size, memory and licence.",
    discussion: """
      A model that cannot be run is described too, with the reason. Active
      parameters are those a token is computed with: without experts that are
      not chosen, and without an embedding that is a table of its own.

      EXAMPLES
        swiftlet show smollm2
        swiftlet show model.gguf --tensors --json

      ENVIRONMENT
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Flag(help: "Lists every tensor with its type, shape and size.")
  var tensors = false
  @Flag(help: "Prints the chat template.")
  var template = false
  @Flag(help: "Prints one JSON object.")
  var json = false

  func run() async throws {
    try EngineArguments.checkKernels()
    let shown = try ModelDescription(path: await ModelFinder.path(model))
    if json { return Output.line(Self.json(shown, tensors: tensors)) }
    if template {
      guard let text = shown.template?.text else {
        throw CommandError("\(shown.path) has no chat template; run and chat take one by --template.")
      }
      return Output.write(untrusted: text + "\n")
    }
    Self.write(Self.groups(shown))
    if tensors { Output.write("\n" + Self.tensorTable(shown)) }
    if let problem = shown.problem { Output.write("\n" + Output.bold("Cannot be run: ") + problem + "\n") }
  }

  /// One table with an empty line between groups, its names dim.
  private static func write(_ groups: [[(name: String, value: String)]]) {
    let width = groups.joined().map(\.name.count).max() ?? 0
    for (place, group) in groups.enumerated() {
      if place > 0 { Output.write("\n") }
      for row in group {
        let name = row.name + String(repeating: " ", count: width - row.name.count)
        Output.write(Output.dim(name) + "  " + CheckpointError.excerpt(row.value, 1000) + "\n")
      }
    }
  }

  private static func groups(_ shown: ModelDescription) -> [[(name: String, value: String)]] {
    var shape: [(name: String, value: String)] = [("path", shown.path)]
    switch shown.format {
    case .gguf(let version): shape.append(("format", "GGUF \(version)"))
    case .safetensors(let files): shape.append(("format", files == 1 ? "safetensors" : "safetensors, \(files) files"))
    case nil: break
    }
    shape.append(("architecture", shown.architecture ?? "not named"))
    let extra = shown.elements(predictingFurtherTokens: true)
    if let configuration = shown.configuration {
      let count = configuration.parameterCount
      shape.append(("parameters", parameterCount(count.total)))
      shape.append(("active parameters", parameterCount(count.active)))
      if extra > 0 {
        shape.append(("next-token layers", "\(parameterCount(extra)) more parameters, for predicting further tokens"))
      }
      shape.append(("layers", "\(configuration.layerCount)"))
      shape.append(("hidden size", "\(configuration.hiddenSize)"))
      shape.append(("heads", heads(configuration)))
      if let experts = experts(configuration) { shape.append(("experts", experts)) }
      shape.append(("vocabulary", "\(configuration.vocabularySize)"))
      shape.append(("context", "\(configuration.contextLength)"))
    } else if !shown.tensors.isEmpty {
      shape.append(("parameters", parameterCount(shown.elements(predictingFurtherTokens: false))))
    }
    var memory: [(name: String, value: String)] = []
    if !shown.tensors.isEmpty {
      memory.append(("types", types(shown).map { "\($0.name) ×\($0.count)" }.joined(separator: ", ")))
      memory.append(("weights", ByteCount.text(shown.weightBytes)))
    }
    if let cache = shown.cacheBytesPerPosition, let whole = shown.cacheBytesOfContext {
      memory.append(("cache per token", ByteCount.text(cache)))
      memory.append(("whole context", "\(ByteCount.text(whole)) of cache"))
    }
    var rest: [(name: String, value: String)] = [
      (
        "tokenizer",
        shown.tokenizerSize.map { "\($0) tokens" + (shown.fillsInMiddle ? ", with marks to fill in the middle" : "") } ?? "none"
      ),
      ("chat template", template(shown)), ("licence", license(shown.license)),
    ]
    if shown.problem == nil { rest.append(("kernels", Kernels.best.name)) }
    return [shape, memory, rest].filter { !$0.isEmpty }
  }

  private static func heads(_ configuration: ModelConfiguration) -> String {
    switch configuration.attention {
    case .groupedQuery(let keys, _):
      keys == configuration.headCount ? "\(keys)" : "\(configuration.headCount), \(keys) of keys and values"
    case .latent(let latent): "\(configuration.headCount), latent of rank \(latent.keyValueRank)"
    }
  }

  private static func experts(_ configuration: ModelConfiguration) -> String? {
    configuration.mixture.map {
      "\($0.expertCount), \($0.expertsPerToken) a token" + ($0.sharedExpertCount > 0 ? ", \($0.sharedExpertCount) shared" : "")
    }
  }

  private static func template(_ shown: ModelDescription) -> String {
    guard let template = shown.template else { return "none; --template of run and chat names one" }
    if let problem = shown.templateProblem { return "cannot be rendered: \(problem)" }
    if let name = template.builtInName { return "built in, \(name)" }
    return "in " + (template.file.map { ($0 as NSString).lastPathComponent } ?? "the file")
  }

  private static func license(_ license: ModelLicense?) -> String {
    guard let license else { return "unknown: the files name none" }
    return ([license.name, license.longName, license.link].compactMap { $0 }).joined(separator: ", ") + " (\(license.source))"
  }

  /// The most frequent first.
  private static func types(_ shown: ModelDescription) -> [(name: String, count: Int)] {
    var counts: [String: Int] = [:]
    for tensor in shown.tensors { counts[tensor.type, default: 0] += 1 }
    return counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map { (name: $0.key, count: $0.value) }
  }

  private static func tensorTable(_ shown: ModelDescription) -> String {
    Output.table(
      shown.tensors.map { tensor in
        [
          CheckpointError.excerpt(tensor.name), CheckpointError.excerpt(tensor.type), "\(tensor.shape)",
          tensor.bytes.map(ByteCount.text) ?? "not read",
        ]
      }, leftAligned: 3)
  }

  /// `134.5 M`, `1.8 B`.
  private static func parameterCount(_ count: Int) -> String {
    switch count {
    case ..<1000: "\(count)"
    case ..<999_950: String(format: "%.1f k", Double(count) / 1e3)
    case ..<999_950_000: String(format: "%.1f M", Double(count) / 1e6)
    default: String(format: "%.1f B", Double(count) / 1e9)
    }
  }

  private static func json(_ shown: ModelDescription, tensors: Bool) -> JSONValue {
    var members = [JSONMember(key: "path", value: .string(shown.path))]
    func add(_ key: String, _ value: JSONValue?) {
      if let value { members.append(JSONMember(key: key, value: value)) }
    }
    func add(_ key: String, _ value: Int?) { add(key, value.map { .integer($0) }) }
    func add(_ key: String, _ value: String?) { add(key, value.map { .string($0) }) }
    switch shown.format {
    case .gguf: add("format", "gguf")
    case .safetensors: add("format", "safetensors")
    case nil: break
    }
    add("architecture", shown.architecture)
    let count = shown.configuration?.parameterCount
    add("parameters", count?.total ?? shown.elements(predictingFurtherTokens: false))
    add("active_parameters", count?.active)
    add("next_token_parameters", shown.elements(predictingFurtherTokens: true))
    if let configuration = shown.configuration {
      add("layers", configuration.layerCount)
      add("hidden_size", configuration.hiddenSize)
      add("heads", configuration.headCount)
      add("experts", configuration.mixture?.expertCount)
      add("experts_per_token", configuration.mixture?.expertsPerToken)
      add("vocabulary", configuration.vocabularySize)
      add("context", configuration.contextLength)
    }
    add("types", .object(types(shown).map { JSONMember(key: $0.name, value: .integer($0.count)) }))
    add("unread_tensors", shown.tensors.count { $0.bytes == nil })
    add("weight_bytes", shown.weightBytes)
    add("cache_bytes_per_token", shown.cacheBytesPerPosition)
    add("cache_bytes_of_context", shown.cacheBytesOfContext)
    add("tokenizer_size", shown.tokenizerSize)
    add("fills_in_middle", .bool(shown.fillsInMiddle))
    add("license", shown.license.map { .string($0.name) } ?? .null)
    add("license_name", shown.license?.longName)
    add("license_link", shown.license?.link)
    add("kernels", Kernels.best.name)
    add("problem", shown.problem)
    add("chat_template_problem", shown.templateProblem)
    add("chat_template", shown.template?.text)
    if tensors {
      let list = shown.tensors.map { tensor -> JSONValue in
        [
          "name": .string(tensor.name), "type": .string(tensor.type), "shape": .array(tensor.shape.map { .integer($0) }),
          "bytes": tensor.bytes.map { .integer($0) } ?? .null,
        ]
      }
      add("tensors", .array(list))
    }
    return .object(members)
  }
}

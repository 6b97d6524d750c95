import ArgumentParser
import Foundation
import SwiftletGeneration
import SwiftletHub
import SwiftletJSON
import SwiftletModels
import SwiftletTensors

struct ShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Describes a model: its shape, types, size and memory.",
    discussion: """
      EXAMPLES
        swiftlet show smollm2
        swiftlet show model.gguf --tensors --json

      ENVIRONMENT
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Flag(help: "Lists every tensor with its type and shape.")
  var tensors = false
  @Flag(help: "Prints the chat template.")
  var template = false
  @Flag(help: "Prints one JSON object.")
  var json = false

  func run() async throws {
    try EngineArguments.checkKernels()
    let loaded = try LoadedModel(path: await ModelFinder.path(model), limits: nil)
    if json { return Output.line(describe(loaded)) }
    if template { return Output.write((loaded.template?.text ?? "") + "\n") }
    let rows = (describe(loaded).members ?? []).filter { $0.key != "tensors" && $0.key != "chat_template" }.map(Self.row)
    Output.write(Output.table(rows, leftAligned: 2))
    if tensors {
      let rows = loaded.weights.tensors.map { [$0.name, $0.tensor.type.name, $0.tensor.shape.description] }
      Output.write("\n" + Output.table(rows, leftAligned: 3))
    }
  }

  /// A fact as people read it.
  private static func row(_ member: JSONMember) -> [String] {
    let value = member.value
    return switch member.key {
    case "parameters", "active_parameters": [name(member.key), parameterCount(value.integer ?? 0)]
    case "types":
      ["types", (value.members ?? []).map { "\($0.key) ×\($0.value.serialized())" }.joined(separator: ", ")]
    case "weight_bytes": ["weights", ByteCount.text(value.integer ?? 0)]
    case "cache_bytes_per_token": ["cache per token", ByteCount.text(value.integer ?? 0)]
    default: [name(member.key), value.string ?? value.serialized()]
    }
  }

  private static func name(_ key: String) -> String { key.replacing("_", with: " ") }

  /// `134.5 M`, `1.8 B`.
  private static func parameterCount(_ count: Int) -> String {
    switch count {
    case ..<1000: "\(count)"
    case ..<999_950: String(format: "%.1f k", Double(count) / 1e3)
    case ..<999_950_000: String(format: "%.1f M", Double(count) / 1e6)
    default: String(format: "%.1f B", Double(count) / 1e9)
    }
  }

  private func describe(_ loaded: LoadedModel) -> JSONValue {
    let configuration = loaded.configuration, all = loaded.weights.tensors
    let parameters = all.reduce(0) { $0 + $1.tensor.shape.count }
    let bytes = all.reduce(0) { $0 + $1.tensor.shape.rows * $1.tensor.rowBytes }
    var types: [String: Int] = [:]
    for (_, tensor) in all { types[tensor.type.name, default: 0] += 1 }
    var members = [
      JSONMember(key: "path", value: .string(loaded.path)),
      JSONMember(key: "architecture", value: .string(configuration.architecture.rawValue)),
      JSONMember(key: "parameters", value: .integer(parameters)),
      JSONMember(key: "active_parameters", value: .integer(parameters - inactiveParameters(configuration))),
      JSONMember(key: "layers", value: .integer(configuration.layerCount)),
      JSONMember(key: "hidden_size", value: .integer(configuration.hiddenSize)),
      JSONMember(key: "heads", value: .integer(configuration.headCount)),
      JSONMember(key: "vocabulary", value: .integer(configuration.vocabularySize)),
      JSONMember(key: "context", value: .integer(configuration.contextLength)),
      JSONMember(
        key: "types",
        value: .object(types.sorted { $0.value > $1.value }.map { JSONMember(key: $0.key, value: .integer($0.value)) })),
      JSONMember(key: "weight_bytes", value: .integer(bytes)),
      JSONMember(key: "cache_bytes_per_token", value: .integer(loaded.decoder.cacheBytesPerPosition)),
      JSONMember(key: "kernels", value: .string(Kernels.best.name)),
    ]
    if let template = loaded.template?.text { members.append(JSONMember(key: "chat_template", value: .string(template))) }
    if tensors {
      let list = all.map { (name, tensor) -> JSONValue in
        ["name": .string(name), "type": .string(tensor.type.name), "shape": .array(tensor.shape.array.map { .integer($0) })]
      }
      members.append(JSONMember(key: "tensors", value: .array(list)))
    }
    return .object(members)
  }

  /// Parameters of experts that a token does not use.
  private func inactiveParameters(_ configuration: ModelConfiguration) -> Int {
    guard let mixture = configuration.mixture else { return 0 }
    let expert = 3 * configuration.hiddenSize * mixture.expertSize
    return (configuration.layerCount - mixture.leadingDenseLayers) * (mixture.expertCount - mixture.expertsPerToken) * expert
  }
}

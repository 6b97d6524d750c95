import ArgumentParser
import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletTensors

struct LogitsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Writes a model's logits for token ids.",
    discussion: """
      The output is a safetensors file with `logits` [tokens, vocabulary], F32,
      of every position. A folder needs no more than config.json and weights.

      EXAMPLE
        swiftlet logits model/ --ids 0,17,300 --output logits.safetensors

      ENVIRONMENT
      \(HelpText.engine)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Option(help: ArgumentHelp("Token ids, separated by commas.", valueName: "ids"))
  var ids: String
  @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String
  @Option(help: ArgumentHelp("Computes the prompt in pieces of this many tokens; the result is the same.", valueName: "n"))
  var chunk: Int?
  @Flag(help: "Computes latent attention by its definition instead of in the latent space.")
  var expanded = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var engine: EngineArguments

  private var tokens: [Int] {
    get throws {
      try ids.split(separator: ",", omittingEmptySubsequences: false).map { text in
        guard let id = Int(text.filter { $0 != " " }) else {
          throw ValidationError("--ids: found '\(text)', expected numbers separated by commas.")
        }
        return id
      }
    }
  }

  func validate() throws {
    _ = try tokens
    if output.isEmpty { throw ValidationError("--output: is empty, expected the name of a file.") }
    if let chunk, chunk < 1 { throw ValidationError("--chunk: found \(chunk), expected at least 1.") }
  }

  /// Whether a file that is there is the model's: its GGUF file, or one in its folder.
  private static func isFile(_ file: String, of model: String) -> Bool {
    guard FileManager.default.fileExists(atPath: file) else { return false }
    let places = InputFile.places(file)
    return InputFile.places(model).contains { model in places.contains { $0 == model || $0.hasPrefix(model + "/") } }
  }

  func run() async throws {
    let tokens = try tokens
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw CommandError("--output: \(folder) is no folder that can be written to.")
    }
    let threadCount = try engine.checkedThreadCount(), experts = try engine.experts()
    let path = try await ModelFinder.path(model)
    guard !Self.isFile(output, of: path) else {
      throw CommandError("--output: \(output) is a file of the model itself; name another one.")
    }
    let loaded = try engine.packing.loading(path) { try LoadedModel(path: path, experts: experts, cache: $0) }
    var decoder = loaded.decoder
    decoder.attentionForm = expanded ? .expanded : .absorbed
    let size = decoder.configuration.vocabularySize
    if let outside = tokens.first(where: { !(0..<size).contains($0) }) {
      throw CommandError("--ids: found token \(outside), but the model's vocabulary has \(size).")
    }
    guard tokens.count <= decoder.configuration.contextLength else {
      throw GenerationError.promptTooLong(tokens: tokens.count, contextLength: decoder.configuration.contextLength)
    }
    let compute = Compute(threadCount: threadCount, kernels: try engine.kernels())
    let cache = decoder.makeCache(capacity: tokens.count)
    let logits = Tensor(zeros: Shape(tokens.count, size))
    let step = chunk ?? 512
    for start in stride(from: 0, to: tokens.count, by: step) {
      let part = Array(tokens[start..<min(start + step, tokens.count)])
      let rows = decoder.forward([.init(tokens: part, cache: cache, output: .all)], role: .prompt, compute: compute)
      (logits.floats + start * size).update(from: rows.floats, count: rows.shape.count)
    }
    try decoder.checkWeights()
    try SafetensorsWriter.write([("logits", logits)], to: output)
    if json { Output.line(["output": .string(output), "shape": [.integer(tokens.count), .integer(size)]]) }
  }
}

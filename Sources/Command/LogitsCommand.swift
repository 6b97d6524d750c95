import ArgumentParser
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletTensors

struct LogitsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Writes a model's logits for token ids.",
    discussion: """
      The output is a safetensors file with `logits` [tokens, vocabulary], F32, of every position. A folder needs no more than \
      config.json and weights.

      EXAMPLE
        swiftlet logits model/ --ids 0,17,300 --output logits.safetensors

      ENVIRONMENT
        SWIFTLET_THREADS, SWIFTLET_KERNELS, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE
      """)

  @Argument(help: "An alias, org/repo[:quant], or a path.")
  var model: String
  @Option(help: "Token ids, separated by commas.")
  var ids: String
  @Option(help: "The safetensors file to write.")
  var output: String
  @Option(help: "Computes the prompt in pieces of this many tokens; the result is the same.")
  var chunk: Int?
  @Flag(help: "Computes latent attention by its definition instead of in the latent space.")
  var expanded = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var engine: EngineArguments

  func run() async throws {
    let tokens = try ids.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let id = Int(text.filter { $0 != " " }) else {
        throw ValidationError("--ids: found '\(text)', expected numbers separated by commas.")
      }
      return id
    }
    if let chunk, chunk < 1 { throw ValidationError("--chunk: found \(chunk), expected at least 1.") }
    let loaded = try LoadedModel(path: await ModelFinder.path(model))
    var decoder = loaded.decoder
    decoder.attentionForm = expanded ? .expanded : .absorbed
    let size = decoder.configuration.vocabularySize
    if let outside = tokens.first(where: { !(0..<size).contains($0) }) {
      throw GenerationError.tokenOutOfRange(id: outside, vocabularySize: size)
    }
    guard tokens.count <= decoder.configuration.contextLength else {
      throw GenerationError.promptTooLong(tokens: tokens.count, contextLength: decoder.configuration.contextLength)
    }
    let compute = try Compute(threadCount: engine.threadCount)
    let cache = decoder.makeCache(capacity: tokens.count)
    let logits = Tensor(zeros: Shape(tokens.count, size))
    let step = chunk ?? 512
    for start in stride(from: 0, to: tokens.count, by: step) {
      let part = Array(tokens[start..<min(start + step, tokens.count)])
      let rows = decoder.forward([.init(tokens: part, cache: cache, output: .all)], role: .prompt, compute: compute)
      (logits.floats + start * size).update(from: rows.floats, count: rows.shape.count)
    }
    try SafetensorsWriter.write([("logits", logits)], to: output)
    if json { Output.line(["output": .string(output), "shape": [.integer(tokens.count), .integer(size)]]) }
  }
}

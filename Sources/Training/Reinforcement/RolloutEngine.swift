internal import SwiftletConversion
public import SwiftletGeneration
internal import SwiftletModels
public import SwiftletTensors

/// Generates with the weights of a model in training, all answers together (continuous batching).
///
/// The log-probabilities that come with the tokens have the bits of `TrainableModel.logProbabilities(of:tape:)` on the same tape, if it
/// `matchesGeneration`: whatever is generated beside, with any number of threads.
public final class RolloutEngine {
  private let model: TrainableModel
  private let tape: Tape
  private let endTokens: Set<Int32>
  private let maximumSequences: Int
  private var engine: Engine
  /// Answers that are generated together, unless told otherwise, and the most: every pass reads all weights, for however many.
  public static let fewestSequences = 64, mostSequences = 256
  /// What caches of more than the fewest may take together.
  private static let cacheBytes = 1e9
  /// Of weights that never change, as products read them.
  private var frozen: [String: Tensor]

  /// - Parameters:
  ///   - tape: the one that trains the model; its precision, threads and kernels are those of generation.
  ///   - endTokens: tokens that end an answer.
  ///   - maximumSequences: how many answers are generated together at most.
  /// - Throws: `RolloutError` for a tape in FP8.
  public init(
    _ model: TrainableModel, tape: Tape, endTokens: Set<Int32>, maximumSequences: Int = RolloutEngine.fewestSequences
  ) throws {
    guard tape.precision != .float8 else {
      throw RolloutError("rollouts need precision bfloat16 or float32, found fp8: generation has no products in FP8 of training")
    }
    self.model = model
    self.tape = tape
    self.endTokens = endTokens
    self.maximumSequences = maximumSequences
    frozen = [:]
    engine = try Self.engine(model, tape, endTokens, maximumSequences, &frozen)
  }

  /// How many answers to generate together. Which ones are beside an answer does not change it.
  /// - Parameter length: positions of the longest prompt with its answer.
  static func sequences(_ configuration: ModelConfiguration, length: Int) -> Int {
    let bytes = 4 * Double(length) * Double(configuration.expandedCachedValuesPerPosition)
    return max(fewestSequences, Int(min(Double(mostSequences), cacheBytes / max(1, bytes))))
  }

  /// Takes the model's weights as they are now; to be called after they changed. No tape may run meanwhile.
  public func update() throws {
    engine = try Self.engine(model, tape, endTokens, maximumSequences, &frozen)
  }

  /// Answers to prompts, in their order and that of their samples.
  ///
  /// An answer depends on the weights, the prompt, its place among the prompts, seed, step and sample alone.
  /// - Parameters:
  ///   - prompts: tokens, at least one each.
  ///   - samples: answers to each.
  ///   - step: of the training, so that every step draws other random numbers.
  /// - Throws: `GenerationError` when a prompt cannot be served or the model's numbers are not finite.
  public func generate(
    prompts: [[Int32]], samples: Int, step: Int, _ options: RolloutOptions
  ) async throws -> [Rollout] {
    var requests: [(rollout: Rollout, events: GenerationStream)] = []
    for (index, prompt) in prompts.enumerated() {
      var random = SeededGenerator(options.seed, UInt64(step), UInt64(index))
      let seed = random.next()
      for sample in 0..<samples {
        let request = GenerationRequest(
          prompt: prompt,
          options: GenerationOptions(
            temperature: 1, topP: 1, seed: seed, sampleIndex: sample, maximumResponseTokens: options.maximumTokens,
            drafting: .none, topLogProbabilities: 0), splitsReasoning: false)
        let rollout = Rollout(prompt: index, sample: sample, tokens: [], logProbabilities: [], finishReason: .length)
        requests.append((rollout, try engine.generate(request)))
      }
    }
    var rollouts: [Rollout] = []
    // One after the other: what comes for the others meanwhile waits in their streams.
    for (rollout, events) in requests {
      var rollout = rollout
      for try await event in events {
        switch event {
        case .promptScored, .promptDone: break
        case .token(let token):
          rollout.tokens.append(token.id)
          rollout.logProbabilities.append(token.logProbabilities.map { Float($0.chosen) } ?? .nan)
        case .finished(let summary): rollout.finishReason = summary.finishReason
        }
      }
      try Task.checkCancellation()
      rollouts.append(rollout)
    }
    return rollouts
  }

  private static func engine(
    _ model: TrainableModel, _ tape: Tape, _ endTokens: Set<Int32>, _ maximumSequences: Int, _ frozen: inout [String: Tensor]
  ) throws -> Engine {
    var configuration = model.configuration
    // The head is there in a form of its own, and the layer that predicts further tokens is left out.
    configuration.tiesEmbeddings = false
    configuration.predictionLayerCount = 0
    let decoder = try Decoder(configuration, weights: .memory(weights(of: model, tape, &frozen)))
    return Engine(
      decoder: decoder, tokenizer: nil, endTokens: endTokens, threadCount: tape.compute.pool.threadCount,
      limits: EngineLimits(maximumSequences: maximumSequences), kernels: tape.compute.kernels)
  }

  /// The weights in the forms in which the tape's products read them.
  private static func weights(of model: TrainableModel, _ tape: Tape, _ frozen: inout [String: Tensor]) -> MemoryWeights {
    func form(_ parameter: Parameter, _ name: String, _ make: () -> Tensor) -> Tensor {
      guard parameter.isFrozen else { return make() }
      let tensor = frozen[name] ?? make()
      frozen[name] = tensor
      return tensor
    }
    func strips(_ parameter: Parameter, _ name: String, _ precision: ProductPrecision) -> Tensor {
      form(parameter, name) { tape.compute.strips(of: parameter.value, as: precision == .bfloat16 ? .bfloat16 : .float32) }
    }
    func copy(_ parameter: Parameter) -> Tensor {
      parameter.isFrozen ? parameter.value : Tensor(parameter.value.floatArray(), shape: parameter.shape)
    }
    let prediction = "model.layers.\(model.configuration.layerCount).", head = "lm_head.weight"
    var tensors: [(name: String, tensor: Tensor)] = [], adapters: [String: MemoryWeights.Adapter] = [:]
    for parameter in model.parameters.parameters where !parameter.name.hasPrefix(prediction) {
      let name = parameter.name
      if name.hasSuffix(AdapterNames.down) {
        let weight = String(name.dropLast(AdapterNames.down.count))
        guard let up = model.parameters[weight + AdapterNames.up] else { continue }
        adapters[weight + ".weight"] = MemoryWeights.Adapter(
          down: strips(parameter, name, tape.precision), up: strips(up, up.name, tape.precision), scale: model.adapterScale)
      } else if name.hasSuffix(AdapterNames.up) {
        continue
      } else if parameter.shape.rank < 2 || name == "model.embed_tokens.weight" {
        tensors.append((name, copy(parameter)))
        guard parameter.shape.rank == 2, model.configuration.tiesEmbeddings else { continue }
        tensors.append((head, strips(parameter, head, tape.attentionPrecision)))
      } else {
        let precision: ProductPrecision =
          name == head ? tape.attentionPrecision : name.hasSuffix("mlp.gate.weight") ? .float32 : tape.precision
        tensors.append((name, strips(parameter, name, precision)))
      }
    }
    return MemoryWeights(tensors, adapters: adapters, cacheType: tape.attentionPrecision == .bfloat16 ? .bfloat16 : .float32)
  }
}

/// Why there can be no rollouts.
public struct RolloutError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

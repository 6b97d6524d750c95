public import SwiftletCheckpoints
public import SwiftletConversion
public import SwiftletModels
public import SwiftletTensors

/// Rows of tokens that are computed together.
public struct TrainingBatch: Sendable {
  public var tokens: [Int]
  /// Of every row the token to predict, or a negative number for none.
  public var targets: [Int]
  /// Ranges of rows, one after the other and together all of them: a row sees those before it in its range, and positions count from its
  /// start unless told otherwise.
  public var documents: [Range<Int>]
  /// Of every document the rows of another one that stand before it, as a prompt does that several answers share; empty for none. No ranges
  /// are none for all. Only for tapes that match generation.
  public var prefixes: [Range<Int>] = []
  /// The ranges that the balance loss is a mean over; the documents unless told otherwise. Rows in none of them are padding, whose
  /// choice of experts counts nowhere.
  public var sequences: [Range<Int>]
  /// Rows behind which nothing is predicted though their range goes on: the last ones of whole documents.
  public var ends: Set<Int> = []
  /// Of every row the position; nil counts from the start of each document.
  public var positions: [Int]?
  /// What a teacher expects in the rows with a target; nil where the data alone is learned from.
  public var teacher: TeacherRows?

  public init(tokens: [Int], targets: [Int], documents: [Range<Int>], sequences: [Range<Int>]? = nil) {
    self.tokens = tokens
    self.targets = targets
    self.documents = documents
    self.sequences = sequences ?? documents
  }

  /// The number of rows with a target.
  public var targetCount: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }

  /// Documents with what stands before them, and so from where on they are counted.
  var prefixedDocuments: [(rows: Range<Int>, prefixCount: Int)] {
    documents.indices.map { (documents[$0], prefixes.isEmpty ? 0 : prefixes[$0].count) }
  }

  /// Of every row the target two tokens ahead, from the next row of its document.
  var secondTargets: [Int] {
    var result = [Int](repeating: -1, count: targets.count)
    for document in documents {
      for row in document.dropLast() where !ends.contains(row) { result[row] = targets[row + 1] }
    }
    return result
  }

  /// The number of rows with a target two tokens ahead.
  public var secondTargetCount: Int { secondTargets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }

  /// Of every row the token behind it in its document; 0 for the last, whose result nothing uses.
  var nextTokens: [Int] {
    var result = [Int](repeating: 0, count: tokens.count)
    for document in documents {
      for row in document.dropLast() { result[row] = tokens[row + 1] }
    }
    return result
  }
}

/// What goes into the loss of a pass beside the cross-entropy.
public struct LossOptions: Sendable {
  /// One over the number of targets of the whole step, when a step has several passes; nil for those of the batch.
  public var scale: Float?
  /// The same for targets two tokens ahead.
  public var predictionScale: Float?
  /// What the loss of the prediction layer is multiplied with (lambda in the DeepSeek-V3 report, section 2.2); 0 leaves it out.
  public var predictionWeight: Float
  /// What the balance loss is multiplied with (alpha); for several passes alpha divided by their number.
  public var balanceCoefficient: Float
  /// How a batch with a teacher is learned from it.
  public var distillation: DistillationOptions

  public init(
    scale: Float? = nil, predictionScale: Float? = nil, predictionWeight: Float = 0, balanceCoefficient: Float = 0,
    distillation: DistillationOptions = DistillationOptions()
  ) {
    self.scale = scale
    self.predictionScale = predictionScale
    self.predictionWeight = predictionWeight
    self.balanceCoefficient = balanceCoefficient
    self.distillation = distillation
  }
}

/// The parts of a pass's loss.
public struct Losses: Sendable {
  /// The cross-entropy of the next token, in nats.
  public var crossEntropy = 0.0
  /// That of the token after the next, times its weight.
  public var prediction = 0.0
  /// The balance loss of all layers.
  public var balance = 0.0
  /// The divergence from a teacher, times the square of its temperature.
  public var divergence = 0.0
  /// Its share in the total; the cross-entropy has the rest.
  public var divergenceWeight = 0.0

  public init() {}

  public var total: Double {
    (1 - divergenceWeight) * crossEntropy + divergenceWeight * divergence + prediction + balance
  }
}

/// A decoder whose parameters are trained: the architectures of `ModelConfiguration`, forward and back, on a tape.
public final class TrainableModel {
  public let configuration: ModelConfiguration
  public let parameters: ParameterSet
  /// How many tokens chose each expert since `resetLoads`, by layer; empty for layers without experts.
  public private(set) var loads: [[Int]]
  /// Told what comes out of the embedding, of every layer and of the last norm, by name: for the search for numbers that are not finite.
  var onOutput: ((_ name: String, _ values: [Float]) -> Void)?
  private let embedding: Parameter
  private let layers: [TrainableLayer]
  private let finalNorm: Parameter
  let head: LinearWeights
  /// What the results of adapters are multiplied with.
  let adapterScale: Float
  private let prediction: Prediction?
  private let frequencies: RotaryFrequencies
  /// Angles of the positions that came so far.
  private var angles: RotaryAngles?

  /// DeepSeek-V3 report, section 2.2, depth 1. The hidden state is taken after the last norm.
  private struct Prediction {
    let embeddingNorm: Parameter
    let hiddenNorm: Parameter
    let projection: LinearWeights
    let layer: TrainableLayer
    let outputNorm: Parameter
    let embedding: Parameter?
    let head: LinearWeights?
  }

  /// A model with random weights: normal ones with the deviation, norms 1, biases 0.
  /// - Parameters:
  ///   - deviation: DeepSeek-V3's is 0.006.
  ///   - seed: the same seed gives the same weights.
  public convenience init(_ configuration: ModelConfiguration, deviation: Float = 0.006, seed: UInt64) {
    var parameters = ParameterSet()
    var random = NormalGenerator(seed: seed)
    let weights = configuration.trainedWeights(
      predictionLayers: configuration.predictionLayerCount, hasBias: configuration.requiresBias)
    for (name, shape) in weights {
      let value = Tensor(zeros: Shape(shape))
      if shape.count > 1 {
        for index in 0..<value.shape.count { value.floats[index] = random.next() * deviation }
      } else if name.hasSuffix("norm.weight") || name.hasSuffix("layernorm.weight") {
        value.floats.update(repeating: 1, count: value.shape.count)
      }
      parameters.add(Parameter(name: name, value: value))
    }
    self.init(configuration, parameters, predictionLayers: configuration.predictionLayerCount)
  }

  /// The weights of a checkpoint, copied as F32.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public convenience init(_ configuration: ModelConfiguration, checkpoint: SafetensorsFolder) throws {
    let (weights, predictionLayers) = try configuration.weights(
      path: checkpoint.path, shape: { checkpoint.tensor(named: $0)?.shape },
      floats: { checkpoint.tensor(named: $0)?.floatArray() })
    var parameters = ParameterSet()
    for name in weights {
      guard let tensor = checkpoint.tensor(named: name) else { continue }
      parameters.add(Parameter(name: name, value: Tensor(tensor.floatArray(), shape: tensor.shape)))
    }
    try checkpoint.check()
    self.init(configuration, parameters, predictionLayers: predictionLayers)
  }

  /// The weights of a model of either kind of file, expanded to F32.
  /// - Parameter configuration: of the same shapes; the model's own unless told otherwise.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public convenience init(_ base: HubModel, configuration: ModelConfiguration? = nil) throws {
    let (weights, predictionLayers) = try base.configuration.weights(
      path: base.path, shape: { base.shape(of: $0) }, floats: { try base.floats($0)?.floatArray() })
    var parameters = ParameterSet()
    for name in weights {
      if let tensor = try base.floats(name) { parameters.add(Parameter(name: name, value: tensor)) }
    }
    try base.check()
    self.init(configuration ?? base.configuration, parameters, predictionLayers: predictionLayers)
  }

  /// A model whose weights stay as they are stored, with adapters that are trained. The layer that predicts further tokens is left out.
  /// - Parameters:
  ///   - seed: of new adapters.
  ///   - saved: adapters of a checkpoint; nil for new ones.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public convenience init(
    _ base: HubModel, adapters options: LowRankOptions, seed: UInt64, saved: SafetensorsFolder? = nil
  ) throws {
    let (configuration, weights) = try Self.frozen(base)
    var parameters = weights
    for parameter in options.parameters(for: parameters.parameters, seed: seed) { parameters.add(parameter) }
    if let saved {
      for parameter in parameters.parameters where !parameter.isFrozen {
        guard let tensor = saved.tensor(named: parameter.name), tensor.shape == parameter.shape else {
          throw CheckpointError(
            file: saved.path, field: parameter.name,
            reason: "found \(saved.tensor(named: parameter.name).map { "shape \($0.shape)" } ?? "no such tensor"), expected "
              + "shape \(parameter.shape)")
        }
        parameter.value.floats.update(from: tensor.floatArray(), count: tensor.shape.count)
      }
      try saved.check()
    }
    self.init(configuration, parameters, predictionLayers: 0, adapterScale: options.scale)
  }

  /// A model that is only asked: its weights stay as they are stored, and the layer that predicts further tokens is left out.
  /// - Throws: `CheckpointError` naming the tensor, what was found and what was expected.
  public convenience init(frozen base: HubModel) throws {
    let (configuration, parameters) = try Self.frozen(base)
    self.init(configuration, parameters, predictionLayers: 0)
  }

  private static func frozen(_ base: HubModel) throws -> (ModelConfiguration, ParameterSet) {
    var configuration = base.configuration
    configuration.predictionLayerCount = 0
    let weights = try configuration.weights(
      path: base.path, shape: { base.shape(of: $0) }, floats: { _ in nil }
    ).names
    var parameters = ParameterSet()
    for name in weights {
      guard let tensor = try base.stored(name) else { continue }
      let isVector = tensor.shape.rank < 2
      parameters.add(Parameter(name: name, frozen: isVector ? Tensor(tensor.floatArray(), shape: tensor.shape) : tensor))
    }
    try base.check()
    return (configuration, parameters)
  }

  private init(
    _ configuration: ModelConfiguration, _ parameters: ParameterSet, predictionLayers: Int, adapterScale: Float = 1
  ) {
    func find(_ name: String) -> Parameter {
      guard let parameter = parameters[name] else { preconditionFailure("no parameter \(name)") }
      return parameter
    }
    self.configuration = configuration
    self.adapterScale = adapterScale
    self.parameters = parameters
    let embedding = find("model.embed_tokens.weight"), count = configuration.layerCount
    self.embedding = embedding
    finalNorm = find("model.norm.weight")
    head = LinearWeights(configuration.tiesEmbeddings ? embedding : find("lm_head.weight"))
    layers = (0..<count).map {
      TrainableLayer(configuration, index: $0, LayerParameters(parameters, layer: $0, adapterScale: adapterScale))
    }
    frequencies = RotaryFrequencies(configuration.rotary)
    if predictionLayers > 0 {
      let names = LayerParameters(parameters, layer: count, adapterScale: adapterScale)
      prediction = Prediction(
        embeddingNorm: names["enorm.weight"], hiddenNorm: names["hnorm.weight"], projection: names.linear("eh_proj").weights,
        layer: TrainableLayer(configuration, index: count, names), outputNorm: names["shared_head.norm.weight"],
        embedding: names.optional("embed_tokens.weight"),
        head: names.optional("shared_head.head.weight").map { LinearWeights($0) })
    } else {
      prediction = nil
    }
    loads = (0..<count + predictionLayers).map {
      configuration.hasExperts(layer: $0) ? [Int](repeating: 0, count: configuration.mixture?.expertCount ?? 0) : []
    }
    // The rule of its own changes it, not the gradient.
    for parameter in parameters.parameters where parameter.name.hasSuffix("e_score_correction_bias") {
      parameter.isTrainable = false
    }
  }

  /// The number of layers with a prediction layer's.
  public var hasPrediction: Bool { prediction != nil }

  /// Forgets how often experts were chosen.
  public func resetLoads() {
    for layer in loads.indices { loads[layer] = [Int](repeating: 0, count: loads[layer].count) }
  }

  /// The loads of the layers whose experts were chosen; nil where there are none.
  var chosenLoads: [[Int]]? {
    let chosen = loads.filter { $0.contains { $0 > 0 } }
    return chosen.isEmpty ? nil : chosen
  }

  /// The bias of a layer's router, for the rule that changes it; nil without one.
  public func routerBias(layer: Int) -> Parameter? { parameters["model.layers.\(layer).mlp.gate.e_score_correction_bias"] }

  /// Computes the loss of a batch and, when the tape records, adds the gradients to the parameters'.
  public func loss(_ batch: TrainingBatch, _ options: LossOptions = LossOptions(), tape: Tape) -> Losses {
    var losses = Losses()
    let (normed, pass) = hidden(batch, balanceCoefficient: options.balanceCoefficient, tape: tape)
    let scale = options.scale ?? 1 / Float(max(1, batch.targetCount))
    if let teacher = batch.teacher {
      (losses.crossEntropy, losses.divergence) = tape.distillation(
        normed, head, targets: batch.targets, teacher: teacher, options.distillation, scale: scale)
      losses.divergenceWeight = Double(options.distillation.weight)
    } else {
      losses.crossEntropy = tape.crossEntropy(normed, head, targets: batch.targets, scale: scale)
    }
    if let prediction, options.predictionWeight > 0 {
      losses.prediction = predictionLoss(prediction, normed, batch, options, tape, pass)
    }
    losses.balance = pass.balanceSum.value
    if tape.recordsGradients { tape.backward() } else { tape.reset() }
    return losses
  }

  /// The logarithm of each target's probability, without gradients; of rows without a target 0. On a tape that `matchesGeneration`
  /// these are the bits of a `RolloutEngine` with the same weights.
  public func logProbabilities(of batch: TrainingBatch, tape: Tape) -> [Float] {
    aside(tape) {
      let (normed, _) = hidden(batch, tape: tape)
      let result = tape.logProbabilities(normed, head, targets: batch.targets)
      tape.reset()
      return result.map { Float($0) }
    }
  }

  /// Computes what is no part of a step: without gradients, and without counting the choice of experts.
  func aside<Result>(_ tape: Tape, _ body: () -> Result) -> Result {
    let records = tape.recordsGradients, counted = loads
    tape.recordsGradients = false
    defer {
      tape.recordsGradients = records
      loads = counted
    }
    return body()
  }

  /// What the model expects next in the rows with a target.
  /// - Parameters:
  ///   - k: tokens that are kept of a row.
  ///   - vocabulary: the first so many tokens are all there are; nil for the model's own.
  ///   - tape: one that does not record.
  public func teacherRows(
    _ batch: TrainingBatch, k: Int, temperature: Float, vocabulary: Int? = nil, tape: Tape
  ) -> TeacherRows {
    let (normed, _) = hidden(batch, tape: tape)
    defer { tape.reset() }
    return tape.teacherRows(
      normed, head, targets: batch.targets, k: k, temperature: temperature, vocabulary: vocabulary ?? configuration.vocabularySize
    )
  }

  /// The way forward up to the last norm, on a tape that was reset: `[rows, hidden]`; and what further layers of the pass need.
  func hidden(_ batch: TrainingBatch, balanceCoefficient coefficient: Float = 0, tape: Tape) -> (Value, TrainingPass) {
    tape.reset()
    let positions = batch.positions ?? batch.prefixedDocuments.flatMap { $1..<$1 + $0.count }
    precondition(
      batch.tokens.count == batch.targets.count && positions.count == batch.tokens.count, "documents must cover all rows")
    let pass = TrainingPass(
      angles: TapeAngles(angles(of: (positions.max() ?? 0) + 1, tape.compute), positions: positions), documents: batch.documents,
      prefixes: batch.prefixes,
      balance: coefficient == 0 ? nil : BalanceLoss(coefficient: coefficient, sequences: batch.sequences)
    ) { layer, routing in
      for (expert, load) in routing.loads(of: batch.sequences).enumerated() { self.loads[layer][expert] += load }
    }
    var x = tape.embedding(embedding, batch.tokens)
    onOutput?("model.embed_tokens", tape.array(x))
    for (index, layer) in layers.enumerated() {
      x = tape.recomputing(x) { layer($1, $0, pass) }
      onOutput?("model.layers.\(index)", tape.array(x))
    }
    let normed = tape.rmsNorm(x, finalNorm, epsilon: configuration.normEpsilon)
    onOutput?("model.norm", tape.array(normed))
    return (normed, pass)
  }

  private func angles(of count: Int, _ compute: Compute) -> RotaryAngles {
    if let angles, angles.cosines.shape.rows >= count { return angles }
    compute.beginPass()
    let made = frequencies.angles(positions: Array(0..<count), compute: compute)
    func copy(_ tensor: Tensor) -> Tensor { Tensor(tensor.floatArray(), shape: tensor.shape) }
    let result = RotaryAngles(cosines: copy(made.cosines), sines: copy(made.sines))
    angles = result
    return result
  }

  private func predictionLoss(
    _ prediction: Prediction, _ hidden: Value, _ batch: TrainingBatch, _ options: LossOptions, _ tape: Tape, _ pass: TrainingPass
  ) -> Double {
    precondition(batch.prefixes.isEmpty, "the token behind a prompt that answers share is another one for each")
    let epsilon = configuration.normEpsilon
    let embedded = tape.embedding(prediction.embedding ?? embedding, batch.nextTokens)
    let joined = tape.join([
      tape.rmsNorm(embedded, prediction.embeddingNorm, epsilon: epsilon),
      tape.rmsNorm(hidden, prediction.hiddenNorm, epsilon: epsilon),
    ])
    let projected = tape.linear(joined, prediction.projection)[0]
    let x = tape.recomputing(projected) { prediction.layer($1, $0, pass) }
    onOutput?("model.layers.\(configuration.layerCount)", tape.array(x))
    let normed = tape.rmsNorm(x, prediction.outputNorm, epsilon: epsilon)
    let scale = options.predictionScale ?? 1 / Float(max(1, batch.secondTargetCount))
    return tape.crossEntropy(
      normed, prediction.head ?? head, targets: batch.secondTargets, scale: scale * options.predictionWeight)
  }
}

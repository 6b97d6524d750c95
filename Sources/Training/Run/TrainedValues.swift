internal import SwiftletModels
internal import SwiftletTensors

/// What a recipe trains of a model, counted from shapes alone.
struct TrainedValues {
  /// Values with a gradient, and those of routers' biases.
  private(set) var count = 0.0
  /// Of these, those that products read.
  private(set) var productCount = 0.0
  /// Values that the optimizer keeps of them, and the bytes of these.
  private(set) var momentCount = 0.0
  private(set) var momentBytes = 0.0

  init(_ recipe: Recipe, _ configuration: ModelConfiguration) {
    let optimizer = recipe.optimizer, prediction = "model.layers.\(configuration.layerCount)."
    let weights = configuration.trainedWeights(
      predictionLayers: recipe.lora == nil ? configuration.predictionLayerCount : 0, hasBias: configuration.requiresBias)
    for (name, shape) in weights {
      if let lora = recipe.lora {
        guard lora.adapts(name), shape.count == 2 else { continue }
        for shape in [[lora.rank, shape[1]], [shape[0], lora.rank]] { add(name, shape, optimizer, isProduct: true) }
        continue
      }
      let isFixed =
        name.hasSuffix("e_score_correction_bias") || !recipe.trainsPrediction && name.hasPrefix(prediction)
      let isTable = Parameter.isEmbedding(name) && !configuration.tiesEmbeddings
      add(name, shape, isFixed ? nil : optimizer, isProduct: shape.count == 2 && !isTable)
    }
  }

  /// - Parameter optimizer: nil for what it does not change.
  private mutating func add(_ name: String, _ shape: [Int], _ optimizer: Recipe.Optimizer?, isProduct: Bool) {
    let values = shape.reduce(1, *)
    count += Double(values)
    if isProduct { productCount += Double(values) }
    guard let optimizer else { return }
    let moments = optimizer.name == .muon && Parameter.isHiddenMatrix(name, rank: shape.count) ? 1.0 : 2
    momentCount += moments * Double(values)
    momentBytes += moments * Double(MomentTensor.byteCount(of: values, format: optimizer.state))
  }
}

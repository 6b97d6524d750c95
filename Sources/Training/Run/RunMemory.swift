internal import SwiftletGeneration
internal import SwiftletModels
internal import SwiftletTensors

/// The least memory that a run takes at once. What comes and goes, as results of a layer, answers and a teacher's weights, does not
/// count, nor do mapped files.
struct RunMemory {
  /// In bytes.
  let parts: [(name: String, bytes: Double)]
  var total: Double { parts.reduce(0) { $0 + $1.bytes } }

  init(_ recipe: Recipe, _ configuration: ModelConfiguration) {
    // A checkpoint may lack the layers that predict further tokens, and reinforcement does not train them.
    var least = configuration
    least.predictionLayerCount = 0
    let trained = TrainedValues(recipe, least), values = trained.count
    var parts = [("weights", 4 * values), ("gradients", 4 * values), ("moments", trained.momentBytes)]
    if let settings = recipe.reinforcement {
      if settings.clipping.beta > 0 { parts.append(("the reference", 4 * values)) }
    } else {
      let rows = Double(recipe.microBatch) * Double(recipe.sequenceLength)
      parts.append(("inputs of layers", 4 * rows * Double(least.layerCount) * Double(least.hiddenSize)))
    }
    self.parts = parts.map { (name: $0.0, bytes: $0.1) }
  }

  /// - Throws: `RecipeError` with what is needed and what there is, when a limit allows less.
  func check(_ recipe: Recipe, _ limits: MemoryLimits = .current) throws(RecipeError) {
    let all = [limits.resident, limits.addresses, limits.data].compactMap { $0 }
    guard let limit = all.min(by: { $0.bytes < $1.bytes }), total > Double(limit.bytes) else { return }
    let listed = parts.map { "\(PlanText.bytes($0.bytes)) of \($0.name)" }.joined(separator: ", ")
    throw recipe.error(
      "model",
      "training it needs at least \(PlanText.bytes(total)) of memory (\(listed)), but \(limit.source) is "
        + "\(PlanText.bytes(Double(limit.bytes))); take a smaller model, adapters (lora), smaller moments (optimizer.state), or "
        + "fewer sequences at a time (micro_batch)")
  }
}

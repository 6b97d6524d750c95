internal import SwiftletModels
internal import SwiftletTensors

extension TrainableModel {
  /// The model that a run begins or goes on with.
  /// - Throws: `CheckpointError` for weights that do not fit.
  convenience init(_ run: PreparedRun) throws {
    let seed = run.recipe.seed
    if let base = run.base, let lora = run.recipe.lora {
      try self.init(base, adapters: lora, seed: seed, saved: run.saved)
    } else if let saved = run.saved {
      try self.init(run.configuration, checkpoint: saved)
    } else if let base = run.base {
      try self.init(base, configuration: run.configuration)
    } else {
      self.init(run.configuration, deviation: run.deviation, seed: seed)
    }
  }
}

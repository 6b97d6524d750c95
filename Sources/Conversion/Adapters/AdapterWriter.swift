public import SwiftletCheckpoints
internal import SwiftletJSON
public import SwiftletTensors

/// Writes adapters as `peft` reads them.
public struct AdapterWriter {
  private let configuration: JSONValue

  /// - Parameters:
  ///   - base: the model they belong to, for the configuration's base_model_name_or_path.
  ///   - targets: the last parts of the modules' names.
  public init(base: String, rank: Int, alpha: Double, targets: [String]) {
    configuration = [
      "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": .string(base), "r": .integer(rank),
      "lora_alpha": alpha == alpha.rounded() ? .integer(Int(alpha)) : .number(alpha), "lora_dropout": 0, "bias": "none",
      "target_modules": .array(targets.map { .string($0) }), "fan_in_fan_out": false, "inference_mode": true,
      "init_lora_weights": true,
      "modules_to_save": .null, "rank_pattern": [:], "alpha_pattern": [:], "use_rslora": false, "use_dora": false,
    ]
  }

  /// Makes the folder; it appears when it is whole.
  /// - Parameter tensors: by the module's name with `AdapterNames.down` or `.up`; F32.
  /// - Throws: `CheckpointError` when it cannot be written.
  public func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(CheckpointError) {
    try DiskSpace.require(tensors.reduce(1 << 16) { $0 + $1.tensor.byteCount }, for: path)
    let folder = try FolderWriter(path: path)
    try SafetensorsWriter.write(
      tensors.map { (AdapterNames.prefix + $0.name, $0.tensor) }, to: folder.temporaryPath + "/" + AdapterNames.weights)
    try FolderContents.write(configuration.serialized() + "\n", to: folder.temporaryPath + "/" + AdapterNames.configuration)
    try folder.commit()
  }
}

public import SwiftletCheckpoints
internal import SwiftletJSON
public import SwiftletTensors

/// What the package `peft` calls the tensors of adapters.
public enum AdapterNames {
  /// Behind the name of a module, such as `model.layers.0.self_attn.q_proj`: `[rank, in]` and `[out, rank]`.
  public static let down = ".lora_A.weight"
  public static let up = ".lora_B.weight"
  /// Before it, in files.
  static let prefix = "base_model.model."
  static let weights = "adapter_model.safetensors"
  static let configuration = "adapter_config.json"
}

/// Adapters of low rank (LoRA) in the form of the package `peft`: adapter_config.json and adapter_model.safetensors.
public struct AdapterFolder: Sendable {
  /// What a weight gets: `scale * up · down`.
  struct Module: Sendable {
    /// As safetensors of the model have it, such as `model.layers.0.self_attn.q_proj.weight`.
    let weight: String
    /// The tensors' names in the file.
    let downName: String
    let upName: String
    /// `[rank, in]`, F32.
    let down: Tensor
    /// `[out, rank]`, F32.
    let up: Tensor
    let scale: Float
  }

  public let path: String
  let modules: [Module]

  /// Reads and checks a folder.
  /// - Throws: `CheckpointError` naming the file and the tensor or key: for what is missing or broken, and for kinds of adapters beside
  ///   LoRA of linear layers.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    let configuration = try AdapterConfiguration(path: path + "/" + AdapterNames.configuration)
    let file = try SafetensorsFile(path: path + "/" + AdapterNames.weights)
    func failure(_ field: String, _ reason: String) -> CheckpointError {
      CheckpointError(file: file.path, field: field, reason: reason)
    }
    if let unread = file.unreadTensors.first {
      throw failure(unread.name, "found type \(unread.type), expected F32, F16 or BF16")
    }
    var downs: [String: Tensor] = [:], ups: [String: Tensor] = [:], names: [String] = []
    for (name, tensor) in file.tensors {
      guard name.hasPrefix(AdapterNames.prefix), let isDown = Self.isDown(name) else {
        throw failure(
          name,
          "is no LoRA of a linear layer, expected names as \(AdapterNames.prefix)MODULE\(AdapterNames.down) or "
            + "MODULE\(AdapterNames.up)")
      }
      guard tensor.shape.rank == 2, tensor.shape.count > 0 else {
        throw failure(name, "found shape \(tensor.shape), expected a matrix")
      }
      let ending = isDown ? AdapterNames.down : AdapterNames.up
      let module = String(name.dropFirst(AdapterNames.prefix.count).dropLast(ending.count))
      if isDown {
        downs[module] = tensor
        names.append(module)
      } else {
        ups[module] = tensor
      }
    }
    guard !names.isEmpty else { throw failure("tensors", "there is no adapter, expected names ending in \(AdapterNames.down)") }
    if let lonely = ups.keys.filter({ downs[$0] == nil }).min() {
      throw failure(AdapterNames.prefix + lonely + AdapterNames.up, "has no \(AdapterNames.down) beside it")
    }
    modules = try names.map { name throws(CheckpointError) in
      let downName = AdapterNames.prefix + name + AdapterNames.down, upName = AdapterNames.prefix + name + AdapterNames.up
      guard let down = downs[name], let up = ups[name] else { throw failure(downName, "has no \(AdapterNames.up) beside it") }
      let rank = down.shape.rows
      guard up.shape.columns == rank else {
        throw failure(
          upName, "found shape \(up.shape), expected \(rank) columns, as many as \(downName) of shape \(down.shape) has rows")
      }
      return Module(
        weight: name + ".weight", downName: downName, upName: upName, down: Tensor(down.floatArray(), shape: down.shape),
        up: Tensor(up.floatArray(), shape: up.shape), scale: try configuration.scale(of: name, rank: rank))
    }
    try file.check()
  }

  private static func isDown(_ name: String) -> Bool? {
    name.hasSuffix(AdapterNames.down) ? true : name.hasSuffix(AdapterNames.up) ? false : nil
  }
}

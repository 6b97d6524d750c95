internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON

/// What adapter_config.json says of how adapters are added.
struct AdapterConfiguration {
  private let path: String
  private let alpha: Double
  /// Alphas of modules by the ends of their names.
  private let alphas: [(ending: String, alpha: Double)]
  /// Whether alpha is divided by the root of the rank (rsLoRA).
  private let divisorIsRoot: Bool

  /// - Throws: `CheckpointError` naming the key, for what a merge cannot do.
  init(path: String) throws(CheckpointError) {
    self.path = path
    let json = try MappedFile(path: path, maximumBytes: 32 << 20).json()
    func failure(_ key: String, _ reason: String) -> CheckpointError { CheckpointError(file: path, field: key, reason: reason) }
    func found(_ value: JSONValue) -> String { CheckpointError.excerpt(value.serialized()) }
    guard json["peft_type"]?.string == "LORA" else {
      throw failure("peft_type", "found \(json["peft_type"].map(found) ?? "nothing"), expected LORA")
    }
    for key in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"] where json[key]?.bool == true {
      throw failure(key, "found true, which is not supported")
    }
    for key in ["layer_replication", "alora_invocation_tokens", "kasa_config"] {
      guard let value = json[key], !value.isNull, value.elements?.isEmpty != true else { continue }
      throw failure(key, "found \(found(value)), which is not supported")
    }
    // These change the weights that the adapter is added to.
    let changing = ["pissa", "olora", "corda", "loftq", "lora_ga"]
    if let start = json["init_lora_weights"]?.string, changing.contains(where: { start.lowercased().hasPrefix($0) }) {
      throw failure(
        "init_lora_weights",
        "found \(start): the adapter fits changed weights alone; save it with path_initial_model_for_weight_conversion")
    }
    if let bias = json["bias"]?.string, bias != "none" { throw failure("bias", "found \(bias), expected none") }
    if let saved = json["modules_to_save"], saved.elements?.isEmpty == false {
      throw failure("modules_to_save", "found \(found(saved)), expected none: whole weights are not merged")
    }
    guard let alpha = json["lora_alpha"]?.double, alpha.isFinite else {
      throw failure("lora_alpha", "found \(json["lora_alpha"].map(found) ?? "nothing"), expected a number")
    }
    self.alpha = alpha
    divisorIsRoot = json["use_rslora"]?.bool == true
    var alphas: [(String, Double)] = []
    for member in json["alpha_pattern"]?.members ?? [] {
      // peft takes regular expressions; plain names are what it writes.
      guard let value = member.value.double, member.key.allSatisfy({ $0.isLetter || $0.isNumber || "._".contains($0) }) else {
        throw failure("alpha_pattern.\(member.key)", "found \(found(member.value)), expected the name of a module with a number")
      }
      alphas.append((member.key, value))
    }
    self.alphas = alphas
  }

  /// What the product of an adapter's matrices is multiplied with.
  func scale(of module: String, rank: Int) throws(CheckpointError) -> Float {
    let alpha = alphas.first { module == $0.ending || module.hasSuffix("." + $0.ending) }?.alpha ?? alpha
    return Float(divisorIsRoot ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
  }
}

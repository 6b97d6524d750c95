internal import Foundation
public import SwiftletCheckpoints
internal import SwiftletConversion
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTensors
internal import SwiftletTokenization

extension Trainer {
  /// Writes the model as a folder that transformers and every command here load: model.safetensors, config.json and, where the run has
  /// a tokenizer, tokenizer.json with its configuration; of a model that was fine-tuned all that is beside its weights; the chat template
  /// that the recipe names. The folder appears when it is whole.
  /// - Throws: `CheckpointError` when it cannot be written.
  public func export(to folder: String) throws {
    let type = run.recipe.exportType
    let bytes = (type == .float32 ? 4 : 2) * model.parameters.count
    try DiskSpace.require(bytes + 1 << 16, for: folder)
    let writer = try FolderWriter(path: folder), aside = writer.temporaryPath
    try model.parameters.save(to: aside + "/model.safetensors", as: type)
    try Self.write(configuration(type).serialized(), to: aside + "/config.json")
    if let base = run.base, run.recipe.tokenizer == nil {
      try base.writeCompanions(to: aside)
    } else if let json = run.data.tokenizerJSON, let tokenizer = run.data.tokenizer {
      try Self.write(json, to: aside + "/tokenizer.json")
      try Self.write(tokenizerConfiguration(tokenizer).serialized(), to: aside + "/tokenizer_config.json")
    }
    if let template = run.data.template { try Self.write(Array(template.utf8), to: aside + "/chat_template.jinja") }
    try writer.commit()
  }

  /// Writes what was trained: adapters as `peft` has them where the recipe trains these, else the model.
  /// - Parameter folder: the run's.
  /// - Returns: the folder that was made, `adapter` or `model`.
  /// - Throws: `CheckpointError` when it cannot be written.
  public func exportResult(to folder: String) throws -> String {
    guard let lora = run.recipe.lora, let base = run.base else {
      try export(to: folder + "/model")
      return folder + "/model"
    }
    let saved = model.parameters.saved, names = saved.map(\.name)
    // Only those that are there: all-linear names every one.
    let present = lora.targets.filter { target in names.contains { $0.hasSuffix("." + target + AdapterNames.down) } }
    let writer = AdapterWriter(base: base.path, rank: lora.rank, alpha: lora.alpha, targets: present)
    try writer.write(saved.map { ($0.name, $0.value) }, to: folder + "/adapter")
    return folder + "/adapter"
  }

  /// The recipe's config.json with what training decided.
  private func configuration(_ type: ElementType) -> JSONValue {
    let configuration = run.configuration
    let classes: [ModelConfiguration.Architecture: String] = [
      .llama: "LlamaForCausalLM", .qwen2: "Qwen2ForCausalLM", .deepseekV2: "DeepseekV2ForCausalLM",
      .deepseekV3: "DeepseekV3ForCausalLM",
    ]
    var members = run.modelJSON.members ?? []
    func set(_ key: String, _ value: JSONValue) {
      members.removeAll { $0.key == key }
      members.append(JSONMember(key: key, value: value))
    }
    set("architectures", [.string(classes[configuration.architecture] ?? "")])
    set("torch_dtype", .string(type == .float32 ? "float32" : "bfloat16"))
    // The weights are no longer stored as those that training began with.
    members.removeAll { $0.key == "quantization_config" || $0.key == "dtype" }
    if run.base == nil, let tokenizer = run.data.tokenizer {
      if let token = tokenizer.beginningOfSequence { set("bos_token_id", .integer(Int(token))) }
      if let token = tokenizer.endOfSequence { set("eos_token_id", .integer(Int(token))) }
    }
    return .object(members)
  }

  private func tokenizerConfiguration(_ tokenizer: Tokenizer) -> JSONValue {
    var members = [JSONMember(key: "tokenizer_class", value: "PreTrainedTokenizerFast")]
    func set(_ key: String, _ token: Int32?) {
      guard let token, let text = String(validating: tokenizer.bytes(of: token), as: UTF8.self) else { return }
      members.append(JSONMember(key: key, value: .string(text)))
    }
    set("bos_token", tokenizer.beginningOfSequence)
    set("eos_token", tokenizer.endOfSequence)
    members.append(JSONMember(key: "model_max_length", value: .integer(run.configuration.contextLength)))
    return .object(members)
  }

  private static func write(_ text: String, to path: String) throws(CheckpointError) {
    try write(Array((text + "\n").utf8), to: path)
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
    let writer = try FileWriter(path: path)
    try writer.write(bytes)
    try writer.commit()
  }
}

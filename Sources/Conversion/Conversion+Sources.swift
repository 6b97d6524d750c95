internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTensors
internal import SwiftletTokenization

extension Conversion {
  /// A GGUF file from a folder.
  static func gguf(folder path: String, _ type: GGUFType) throws -> (Job, WeightSource) {
    let (files, config, configuration) = try configuration(ofFolder: path)
    let folder = try SafetensorsFolder(path: path)
    let nextTokenLayers = GGUFPlan.nextTokenLayers(folder, configuration)
    let plan = try GGUFPlan(folder, configuration, nextTokenLayers: nextTokenLayers, type: type)
    var metadata = ModelMetadata(
      configuration: configuration, config: config, generation: try files.json("generation_config.json"),
      license: ModelLicense(cardOf: path), folderName: URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent,
      nextTokenLayers: nextTokenLayers, type: type, tensors: plan.tensors
    ).metadata()
    try TokenizerMetadata(
      files: files, vocabularySize: configuration.vocabularySize, isLlama: configuration.architecture == .llama
    ).add(to: &metadata)
    return (.gguf(metadata: metadata, tensors: plan.tensors, configuration: configuration), .safetensors(folder))
  }

  private static func configuration(
    ofFolder path: String
  ) throws -> (files: FolderFiles, config: JSONValue, configuration: ModelConfiguration) {
    let files = FolderFiles(folder: path)
    guard let config = try files.json("config.json") else {
      throw CheckpointError(file: path, field: "folder", reason: "found no config.json; a model's folder has one")
    }
    return (files, config, try ModelConfiguration(json: config, source: files.path("config.json")))
  }

  /// A GGUF file of another type. All its metadata are kept as they are, but for those that tell the type and the parts.
  static func gguf(file path: String, _ type: GGUFType) throws -> (Job, WeightSource) {
    let file = try readableFile(path)
    let configuration = try ModelConfiguration(gguf: file)
    var metadata = try file.encodedMetadata
    for key in ["split.no", "split.count", "split.tensors.count", "general.alignment"] { metadata.set(key, nil) }
    metadata.set("general.quantization_version", .uint32(2))
    metadata.set("general.file_type", .uint32(type.fileType))
    let mix = QuantizationMix(
      type, configuration, layerCount: configuration.layerCount + configuration.predictionLayerCount)
    let types = mix.types(of: file.tensors.map { ($0.name, $0.tensor.shape.array) })
    let tensors = zip(file.tensors, types).map { entry, type in
      TensorPlan(name: entry.name, tensor: entry.tensor, type: type ?? entry.tensor.type)
    }
    return (.gguf(metadata: metadata, tensors: tensors, configuration: nil), .gguf(file))
  }

  private static func readableFile(_ path: String) throws(CheckpointError) -> GGUFFile {
    let file = try GGUFFile(path: path)
    guard let unread = file.unreadTensors.first else { return file }
    throw CheckpointError(file: path, field: unread.name, reason: "found type \(unread.type), which cannot be read")
  }

  /// A folder from a GGUF file.
  static func folder(file path: String, _ type: ElementType?) throws -> (Job, WeightSource) {
    let file = try readableFile(path)
    let configuration = try ModelConfiguration(gguf: file)
    let plan = try SafetensorsPlan(file, configuration, type: type)
    let embedding = plan.tensors.first { $0.name == "model.embed_tokens.weight" }
    let form = HuggingFaceConfiguration(
      file: file, configuration: configuration, nextTokenLayers: configuration.predictionLayerCount,
      type: embedding?.type ?? .float32)
    let config = try form.config()
    let written = try ModelConfiguration(json: config, source: "config.json")
    try ConfigurationCheck.require(configuration, equals: written, source: path, form: "config.json")
    var contents = FolderContents()
    contents.texts.append(("config.json", config.serialized() + "\n"))
    if let license = ModelLicense(gguf: file) { contents.texts.append(("README.md", license.card)) }
    try contents.addTokenizer(of: file, contextLength: configuration.contextLength)
    let advice = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let name = "generation_config.json"
    if FolderFiles(folder: advice).exists(name) { contents.copies.append((name, advice + "/" + name)) }
    return (.folder(plan, contents), .gguf(file))
  }

  /// A folder from a folder, with weights of another type.
  static func folder(folder path: String, _ type: ElementType?) throws -> (Job, WeightSource) {
    let (files, config, _) = try configuration(ofFolder: path)
    let folder = try SafetensorsFolder(path: path)
    let plan = try SafetensorsPlan(folder, type: type)
    var contents = FolderContents()
    let embedding = plan.tensors.first { $0.name == "model.embed_tokens.weight" }
    let dtype = HuggingFaceConfiguration.dtype(embedding?.type ?? .float32)
    let members = (config.members ?? []).filter { $0.key != "quantization_config" }.map { member in
      ["torch_dtype", "dtype"].contains(member.key) ? JSONMember(key: member.key, value: .string(dtype)) : member
    }
    contents.texts.append(("config.json", JSONValue.object(members).serialized() + "\n"))
    for name in FolderContents.companions where files.exists(name) { contents.copies.append((name, files.path(name))) }
    if !files.exists("tokenizer.json") { contents.notes.append("The source has no tokenizer.json, so there is none.") }
    return (.folder(plan, contents), .safetensors(folder))
  }
}

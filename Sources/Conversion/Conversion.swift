internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletJSON
internal import SwiftletModels
internal import SwiftletTensors

/// Writes a model in another form: GGUF files from safetensors folders as llama.cpp's convert_hf_to_gguf.py and llama-quantize make
/// them, GGUF files of another type, and folders of safetensors.
///
/// Everything that can be refused is refused by `init`, before anything is written. `run` writes one tensor at a time in bounded memory;
/// what it writes gets its name at the end, so that neither an error nor cancelling leaves half a model.
public struct Conversion {
  public enum Target: Sendable {
    case gguf(GGUFType)
    /// With matrices of F32, F16 or BF16; without a type they keep theirs, block-quantised ones become F16 and FP8 ones BF16.
    case safetensors(GGUFType?)
  }

  public struct Progress: Sendable {
    /// The tensor that is written now.
    public var tensor: String
    public var completedBytes: Int
    public var totalBytes: Int
  }

  public struct Summary: Sendable {
    public var path: String
    public var byteCount: Int
    /// How many tensors of each type there are.
    public var types: [(name: String, count: Int)]
    /// What the new form does not hold of the model.
    public var notes: [String]
  }

  let source: String
  let output: String
  let job: Job
  /// What the tensors are read from.
  private let weights: WeightSource
  private let threadCount: Int
  /// The most bytes of a file of safetensors.
  var shardBytes = SafetensorsPlan.shardBytes

  enum Job {
    case gguf(metadata: GGUFMetadata, tensors: [TensorPlan], configuration: ModelConfiguration?)
    case folder(SafetensorsPlan, FolderContents)
  }

  /// Reads the source's headers, plans every tensor, and looks whether there is room.
  /// - Parameters:
  ///   - source: a GGUF file (of several parts, the first), or a folder with config.json and safetensors.
  ///   - adapter: added to the weights; for folders alone.
  ///   - output: the GGUF file or folder to be made.
  ///   - isReplacing: whether what is there already is replaced.
  /// - Throws: `CheckpointError` or `TokenizerError`, which name the file, the field, what was found and expected.
  public init(
    source: String, adapter: AdapterFolder? = nil, target: Target, output: String, isReplacing: Bool = false, threadCount: Int
  ) throws {
    self.source = source
    self.output = output
    self.threadCount = threadCount
    try Self.checkOutput(output, source: source, isReplacing: isReplacing, target)
    let isFolder = Self.isFolder(source)
    switch target {
    case .gguf(let type): (job, weights) = try isFolder ? Self.gguf(folder: source, type) : Self.gguf(file: source, type)
    case .safetensors(let type):
      if let type, type.elementType.isQuantized {
        throw CheckpointError(
          file: output, field: "type",
          reason: "found \(type.rawValue), expected f32, f16 or bf16: safetensors have no quantised types")
      }
      let (plain, weights) =
        try isFolder ? Self.folder(folder: source, type?.elementType) : Self.folder(file: source, type?.elementType)
      self.weights = weights
      if let adapter, case .folder(var plan, let contents) = plain {
        try plan.add(adapter, source: source)
        job = .folder(plan, contents)
      } else {
        job = plain
      }
    }
    try DiskSpace.require(try byteCount(), for: output)
  }

  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  private static func checkOutput(
    _ output: String, source: String, isReplacing: Bool, _ target: Target
  ) throws(CheckpointError) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: output, field: "output", reason: reason) }
    guard FileManager.default.fileExists(atPath: output) else { return }
    guard isReplacing else { throw failure("is there already; choose another name, or --force to replace it") }
    func places(_ path: String) -> [String] {
      let url = URL(fileURLWithPath: path)
      return [url.standardizedFileURL.path, url.resolvingSymlinksInPath().path]
    }
    for place in places(source) {
      guard !places(output).contains(where: { place == $0 || place.hasPrefix($0 + "/") }) else {
        throw failure("is the source itself, or the folder it is in; choose another name")
      }
      // Another GGUF file in the source's folder may be replaced, but nothing that is read.
      let isRead = !output.lowercased().hasSuffix(".gguf") && places(output).contains { $0.hasPrefix(place + "/") }
      guard !isRead else { throw failure("is a file of the source; choose another name") }
    }
    // `…-00001-of-00003.gguf` brings the other parts.
    let ending = "-of-00000.gguf".count, number = "-00000".count
    func isPart(_ output: String, of source: String) -> Bool {
      source.contains("-of-") && source.suffix(ending) == output.suffix(ending)
        && source.dropLast(ending + number) == output.dropLast(ending + number)
    }
    guard !zip(places(output), places(source)).contains(where: { isPart($0, of: $1) }) else {
      throw failure("may be a part of the source; choose another name")
    }
    let wantsFolder = if case .safetensors = target { true } else { false }
    guard isFolder(output) == wantsFolder else {
      throw failure(wantsFolder ? "is a file, expected the name of a folder" : "is a folder, expected the name of a file")
    }
    // What is replaced is removed as a whole, so it must be what this command makes.
    if wantsFolder, !FileManager.default.fileExists(atPath: output + "/config.json") {
      throw failure("is a folder without config.json, which is no model's; remove it or choose another name")
    }
    if wantsFolder, let strange = FolderContents.firstForeign(in: output) {
      throw failure("holds \(strange), which this command does not write; remove it or choose another name")
    }
  }

  /// Bytes of everything that is written.
  private func byteCount() throws(CheckpointError) -> Int {
    switch job {
    case .gguf(let metadata, let tensors, _):
      return GGUFWriter.byteCount(metadata: metadata, tensors: tensors.map(\.ggufTensor))
    case .folder(let plan, let contents):
      let shards = plan.shards(of: shardBytes)
      var bytes = contents.byteCount + (FolderContents.index(of: shards)?.utf8.count ?? 0)
      for shard in shards {
        bytes += try SafetensorsWriter.byteCount(tensors: shard.map(\.safetensorsTensor), metadata: FolderContents.format)
      }
      return bytes
    }
  }

  /// Writes the model.
  /// - Parameter progress: called after every piece of a tensor.
  /// - Throws: `CheckpointError`, among others when a value is not finite or the disk is full; `CancellationError` when the task is
  ///   cancelled.
  public func run(progress: (Progress) -> Void = { _ in }) throws -> Summary {
    let encoder = TensorEncoder(threadCount: threadCount, source: source)
    let tensors: [TensorPlan]
    var notes: [String] = []
    switch job {
    case .gguf(let metadata, let plans, let configuration):
      tensors = plans
      try writeGGUF(metadata, plans, configuration, encoder, progress)
    case .folder(let plan, let contents):
      tensors = plan.tensors
      notes = contents.notes
      try writeFolder(plan, contents, encoder, progress)
    }
    var types: [(name: String, count: Int)] = []
    for (name, group) in Dictionary(grouping: tensors, by: \.type.name) { types.append((name, group.count)) }
    return Summary(
      path: output, byteCount: try byteCount(), types: types.sorted { ($1.count, $0.name) < ($0.count, $1.name) }, notes: notes)
  }

  private func writeGGUF(
    _ metadata: GGUFMetadata, _ tensors: [TensorPlan], _ configuration: ModelConfiguration?, _ encoder: TensorEncoder,
    _ progress: (Progress) -> Void
  ) throws {
    let writer = try GGUFWriter(path: output, metadata: metadata, tensors: tensors.map(\.ggufTensor))
    var meter = Meter(tensors)
    // Before the long work: the header is whole, and tensors that are made here, as RoPE's factors, come first.
    var unchecked = configuration
    for tensor in tensors {
      if tensor.name != "rope_freqs.weight", let original = unchecked {
        try check(original, in: writer)
        unchecked = nil
      }
      try encoder.write(tensor) { bytes in
        try writer.append(bytes)
        progress(meter.wrote(bytes.count, of: tensor))
      }
    }
    try Task.checkCancellation()
    try weights.check()
    try writer.finish()
  }

  private func check(_ original: ModelConfiguration, in writer: GGUFWriter) throws {
    let written = try ModelConfiguration(gguf: GGUFFile(path: writer.temporaryPath))
    try ConfigurationCheck.require(original, equals: written, source: source, form: "a GGUF file")
  }

  private func writeFolder(
    _ plan: SafetensorsPlan, _ contents: FolderContents, _ encoder: TensorEncoder, _ progress: (Progress) -> Void
  ) throws {
    let folder = try FolderWriter(path: output)
    try contents.write(to: folder.temporaryPath)
    var meter = Meter(plan.tensors)
    let shards = plan.shards(of: shardBytes)
    for (index, shard) in shards.enumerated() {
      let name = FolderContents.fileName(index, of: shards.count)
      let writer = try SafetensorsWriter(
        path: folder.temporaryPath + "/" + name, tensors: shard.map(\.safetensorsTensor), metadata: FolderContents.format)
      for tensor in shard {
        try encoder.write(tensor) { bytes in
          try writer.append(bytes)
          progress(meter.wrote(bytes.count, of: tensor))
        }
      }
      try writer.finish()
    }
    if let index = FolderContents.index(of: shards) {
      try FolderContents.write(index, to: folder.temporaryPath + "/model.safetensors.index.json")
    }
    try Task.checkCancellation()
    try weights.check()
    try folder.commit()
  }

  private struct Meter {
    private let total: Int
    private var completed = 0

    init(_ tensors: [TensorPlan]) { total = tensors.reduce(0) { $0 + $1.byteCount } }

    mutating func wrote(_ bytes: Int, of tensor: TensorPlan) -> Progress {
      completed += bytes
      return Progress(tensor: tensor.name, completedBytes: completed, totalBytes: total)
    }
  }
}

extension TensorPlan {
  var ggufTensor: GGUFWriter.Tensor { .init(name: name, shape: shape, type: type) }
  var safetensorsTensor: SafetensorsWriter.Tensor { .init(name: name, shape: shape, type: type) }
}

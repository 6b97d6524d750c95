internal import Foundation
public import SwiftletCheckpoints
public import SwiftletJSON
public import SwiftletModels
public import SwiftletTensors

/// A model of either kind of file as a folder of the hub would hold it: config.json, and weights by their names there with rows in
/// their order.
public struct HubModel: Sendable {
  public let path: String
  public let config: JSONValue
  public let configuration: ModelConfiguration
  private let plan: SafetensorsPlan
  private let contents: FolderContents
  private let index: [String: Int]
  private let source: WeightSource
  /// What the folder cannot have of the file, such as its tokenizer, and why.
  public var notes: [String] { contents.notes }

  /// Opens a GGUF file (of several parts, the first) or a folder with config.json and safetensors; of the weights only the headers are read.
  /// - Throws: `CheckpointError`, which names the file, the field, what was found and expected.
  public init(path: String) throws {
    self.path = path
    let (job, source) =
      try Conversion.isFolder(path) ? Conversion.folder(folder: path, nil) : Conversion.folder(file: path, nil)
    guard case .folder(let plan, let contents) = job, let text = contents.texts.first(where: { $0.name == "config.json" })?.text
    else { preconditionFailure("a plan of a folder") }
    config = try JSONValue(parsing: Array(text.utf8))
    configuration = try ModelConfiguration(json: config, source: path)
    var index: [String: Int] = [:]
    for (place, tensor) in plan.tensors.enumerated() { index[tensor.name] = place }
    (self.plan, self.contents, self.index, self.source) = (plan, contents, index, source)
  }

  /// Bytes of all weights, as they are stored.
  public var byteCount: Int { plan.tensors.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.tensor.byteCount } } }

  /// The shape of a weight; nil where there is none of the name.
  public func shape(of name: String) -> Shape? { index[name].map { Shape(plan.tensors[$0].shape) } }

  /// A weight in the type that it is stored in: where it lies, or copied where rows have another order. What the file keeps in several
  /// parts or transposed becomes F32.
  /// - Throws: `CheckpointError` for values that are not finite, where they must be converted.
  public func stored(_ name: String) throws -> Tensor? {
    guard let place = index[name] else { return nil }
    let planned = plan.tensors[place]
    guard planned.parts.count == 1, let part = planned.parts.first, part.order != .transposed else { return try floats(name) }
    let tensor = part.tensor
    if part.order == .asStored { return tensor }
    guard tensor.scales == nil else { return try floats(name) }
    let copy = Storage(byteCount: tensor.byteCount)
    for row in 0..<tensor.shape.rows {
      (copy.address + row * tensor.rowBytes).copyMemory(
        from: tensor.rowAddress(part.order.sourceRow(row)), byteCount: tensor.rowBytes)
    }
    return Tensor(storage: copy, byteOffset: 0, shape: Shape(planned.shape), type: tensor.type)
  }

  /// A weight as F32, in memory of its own.
  /// - Throws: `CheckpointError` for values that are not finite.
  public func floats(_ name: String) throws -> Tensor? {
    guard let place = index[name] else { return nil }
    var planned = plan.tensors[place]
    planned.type = .float32
    let result = Tensor(zeros: Shape(planned.shape))
    var offset = 0
    try TensorEncoder(threadCount: 1, source: path).write(planned) { bytes in
      if let base = bytes.baseAddress { (result.address + offset).copyMemory(from: base, byteCount: bytes.count) }
      offset += bytes.count
    }
    return result
  }

  /// Whether the files are still what was opened.
  /// - Throws: `CheckpointError` naming the file that changed.
  public func check() throws(CheckpointError) { try source.check() }

  /// Tells the weights' files apart from others.
  public var fingerprint: String { source.fingerprint }

  /// tokenizer.json, where there is a tokenizer that can be written as one.
  public func tokenizerJSON() throws(CheckpointError) -> [UInt8]? {
    let name = "tokenizer.json"
    if let text = contents.texts.first(where: { $0.name == name })?.text { return Array(text.utf8) }
    guard let copy = contents.copies.first(where: { $0.name == name }) else { return nil }
    return try RegularFile(path: copy.path).bytes(maximumBytes: 256 << 20)
  }

  /// Writes tokenizer, chat template and advice as they are beside the model, but no config.json.
  public func writeCompanions(to folder: String) throws {
    var companions = contents
    companions.texts.removeAll { $0.name == "config.json" }
    try companions.write(to: folder)
  }
}

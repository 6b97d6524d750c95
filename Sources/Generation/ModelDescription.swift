internal import Foundation
public import SwiftletCheckpoints
internal import SwiftletJSON
public import SwiftletModels
internal import SwiftletTokenization

/// What can be said of a model's files, also of those that cannot be run: each part is read by itself, and what is wrong is told.
public struct ModelDescription: Sendable {
  public struct TensorEntry: Sendable {
    public var name: String
    /// As the format spells it.
    public var type: String
    /// Slowest first.
    public var shape: [Int]
    /// nil for a tensor that is not read.
    public var bytes: Int?
    /// Belongs to a layer that predicts further tokens.
    public var predictsFurtherTokens: Bool
  }

  public enum Format: Sendable, Equatable {
    case gguf(version: Int)
    case safetensors(files: Int)
  }

  public let path: String
  public let format: Format?
  /// As config.json or the GGUF file calls it.
  public let architecture: String?
  /// nil when the files describe no decoder that is known.
  public let configuration: ModelConfiguration?
  public let tensors: [TensorEntry]
  /// nil for a model that cannot be run.
  public let cacheBytesPerPosition: Int?
  /// The size of the tokenizer's vocabulary; nil without a tokenizer that can be used.
  public let tokenizerSize: Int?
  public let fillsInMiddle: Bool
  public let template: TemplateSource?
  /// Why the template cannot be rendered here.
  public let templateProblem: String?
  public let license: ModelLicense?
  /// Why the model cannot be run; nil when nothing stands against it.
  public let problem: String?

  /// - Throws: `CheckpointError` when the path holds no model's files at all.
  public init(path: String) throws {
    self.path = path
    var isFolder: ObjCBool = false
    var problem: (any Error)?
    /// What a part gives; its error is kept, the first of all.
    func part<Part>(_ read: () throws -> Part) -> Part? {
      do {
        return try read()
      } catch {
        problem = problem ?? error
        return nil
      }
    }
    var weights: WeightSource?
    let tokenizer: Tokenizer?
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      let folder = ModelFolder(path: path)
      let json = part { try folder.json("config.json") }
      configuration = json.flatMap { json in
        part { try ModelConfiguration(json: json, source: folder.path("config.json")) }
      }
      let files = part { try SafetensorsFolder(path: path) }
      guard json != nil || files != nil else {
        throw CheckpointError(
          file: path, field: "folder", reason: "holds neither a config.json nor safetensors that can be read")
      }
      weights = files.map { .safetensors($0) }
      format = files.map { .safetensors(files: $0.files.count) }
      architecture = json?["model_type"]?.string
      tokenizer = part { try folder.tokenizer() } ?? nil
      template = part { try folder.template() } ?? nil
      license = ModelLicense(folder: path)
    } else {
      let file = try GGUFFile(path: path)
      weights = .gguf(file)
      format = .gguf(version: file.version)
      architecture = file["general.architecture"]?.string
      configuration = part { try ModelConfiguration(gguf: file) }
      tokenizer = part { try Tokenizer(gguf: file) }
      template = part { try LoadedModel.template(of: file) } ?? nil
      license = ModelLicense(gguf: file) ?? ModelLicense(folder: (path as NSString).deletingLastPathComponent)
    }
    var cacheBytes: Int?
    if let configuration, let weights {
      let needs = MemoryNeeds(configuration, weights: weights)
      // A decoder is made to see whether all weights are there; of the largest models that would copy a gigabyte.
      cacheBytes =
        needs.copies > Self.maximumCopies
        ? needs.cachePerPosition
        : part { try Decoder(configuration, weights: weights, packsWeights: false) }?.cacheBytesPerPosition
    }
    cacheBytesPerPosition = cacheBytes
    let layerCount = configuration?.layerCount ?? .max
    tensors = weights.map { Self.entries($0, layerCount: layerCount) } ?? []
    tokenizerSize = tokenizer?.vocabularySize
    fillsInMiddle = tokenizer?.fillInMiddle != nil
    var templateProblem: String?
    if let template, let tokenizer {
      do {
        _ = try ChatPrompt(template, tokenizer: tokenizer)
      } catch {
        templateProblem = "\(error)"
      }
    }
    self.templateProblem = templateProblem
    self.problem = problem.map { "\($0)" }
  }

  private static let maximumCopies = 256 << 20

  private static func entries(_ weights: WeightSource, layerCount: Int) -> [TensorEntry] {
    func isExtra(_ name: String) -> Bool {
      guard let match = name.firstMatch(of: /^(?:model\.layers|blk)\.([0-9]{1,9})\./), let layer = Int(match.1) else {
        return false
      }
      return layer >= layerCount
    }
    // Scales of FP8 weights are part of these.
    let unread = weights.unreadTensors.filter { tensor in
      !tensor.name.hasSuffix("_scale_inv") || weights.tensor(named: String(tensor.name.dropLast("_scale_inv".count))) == nil
    }
    return weights.tensors.map { name, tensor in
      TensorEntry(
        name: name, type: tensor.type.name, shape: tensor.shape.array, bytes: tensor.shape.rows * tensor.rowBytes,
        predictsFurtherTokens: isExtra(name))
    }
      + unread.sorted { $0.name < $1.name }.map {
        TensorEntry(name: $0.name, type: $0.type, shape: $0.shape, bytes: nil, predictsFurtherTokens: isExtra($0.name))
      }
  }

  /// Bytes of the tensors that are read, which is what the mapped files take of memory once all of them were used.
  public var weightBytes: Int { tensors.reduce(0) { $0 + ($1.bytes ?? 0) } }

  /// Bytes of cache that a conversation of the model's whole context takes; nil for a model that cannot be run.
  public var cacheBytesOfContext: Int? {
    guard let cacheBytesPerPosition, let configuration else { return nil }
    let (bytes, overflow) = cacheBytesPerPosition.multipliedReportingOverflow(by: configuration.contextLength)
    return overflow ? .max : bytes
  }

  /// Elements of the tensors that are part of the decoder, or of those that predict further tokens.
  public func elements(predictingFurtherTokens: Bool) -> Int {
    tensors.lazy.filter { $0.predictsFurtherTokens == predictingFurtherTokens }.reduce(0) { sum, tensor in
      // A file may claim any size for tensors that are not read.
      let (result, overflow) = sum.addingReportingOverflow(tensor.shape.reduce(1, *))
      return overflow ? .max : result
    }
  }
}

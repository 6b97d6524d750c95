internal import Foundation
internal import SwiftletJSON
public import SwiftletTensors

/// The tensors of a folder as the hub lays it out: `model.safetensors`, or shards named by `model.safetensors.index.json`.
public struct SafetensorsFolder: Sendable {
  public let path: String
  public let files: [SafetensorsFile]
  private let index: [[UInt8]: Tensor]

  /// Opens and validates every file the folder's index names.
  /// - Throws: `CheckpointError`, among others when a shard lacks a tensor that the index promises.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    let folder = URL(fileURLWithPath: path)
    let indexPath = folder.appendingPathComponent("model.safetensors.index.json").path
    let single = folder.appendingPathComponent("model.safetensors").path
    var names: [String] = []
    var promised: [(tensor: String, file: String)] = []
    if FileManager.default.fileExists(atPath: single) {
      names = ["model.safetensors"]
    } else if FileManager.default.fileExists(atPath: indexPath) {
      promised = try Self.weightMap(indexPath)
      names = Array(Set(promised.map(\.file))).sorted()
    } else {
      throw CheckpointError(
        file: path, field: "folder", reason: "found neither model.safetensors nor model.safetensors.index.json")
    }
    var files: [SafetensorsFile] = []
    var index: [[UInt8]: Tensor] = [:]
    for name in names {
      let file = try SafetensorsFile(path: folder.appendingPathComponent(name).path)
      for (name, tensor) in file.tensors where index.updateValue(tensor, forKey: Array(name.utf8)) != nil {
        throw CheckpointError(file: file.path, field: name, reason: "the tensor stands in two shards")
      }
      files.append(file)
    }
    let others = Set(files.flatMap(\.otherTensors).map { Array($0.name.utf8) })
    for (tensor, file) in promised where index[Array(tensor.utf8)] == nil && !others.contains(Array(tensor.utf8)) {
      throw CheckpointError(file: indexPath, field: tensor, reason: "the index places it in \(file), which lacks it")
    }
    self.files = files
    self.index = index
  }

  /// All tensors, shard by shard.
  public var tensors: [(name: String, tensor: Tensor)] { files.flatMap(\.tensors) }

  /// The type of a tensor that is there but not computed with, as its header writes it.
  public func unsupportedType(ofTensorNamed name: String) -> String? {
    files.lazy.flatMap(\.otherTensors).first { $0.name.utf8.elementsEqual(name.utf8) }?.type
  }

  public func tensor(named name: String) -> Tensor? { index[Array(name.utf8)] }

  private static func weightMap(_ path: String) throws(CheckpointError) -> [(tensor: String, file: String)] {
    let file = try MappedFile(path: path)
    let value: JSONValue
    do {
      value = try file.withBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
    } catch {
      throw CheckpointError(file: path, field: "JSON", reason: "\(error)")
    }
    guard let map = value["weight_map"]?.members, !map.isEmpty else {
      throw CheckpointError(
        file: path, field: "weight_map", reason: "is missing or empty, expected tensor names with their files")
    }
    var result: [(tensor: String, file: String)] = []
    for member in map {
      guard let name = member.value.string, !name.isEmpty, !name.contains("/"), name != "..", name.hasSuffix(".safetensors")
      else {
        throw CheckpointError(
          file: path, field: "weight_map.\(member.key)", reason: "expected the name of a .safetensors file in the same folder")
      }
      result.append((member.key, name))
    }
    return result
  }
}

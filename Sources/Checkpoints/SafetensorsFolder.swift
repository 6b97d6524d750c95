internal import Foundation
internal import SwiftletJSON
public import SwiftletTensors

/// The tensors of a folder as the hub lays it out: `model.safetensors`, or shards named by `model.safetensors.index.json`.
public struct SafetensorsFolder: Sendable {
  public let path: String
  public let files: [SafetensorsFile]
  /// All tensors that can be computed with, shard by shard. FP8 tensors have their scales, which are not listed themselves.
  public let tensors: [(name: String, tensor: Tensor)]
  private let index: [[UInt8]: Tensor]
  private let unreadIndex: [[UInt8]: UnreadTensor]

  /// Opens and validates every file the folder's index names.
  /// - Throws: `CheckpointError`, among others when a shard lacks a tensor that the index promises.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    let folder = URL(fileURLWithPath: path)
    let indexPath = folder.appendingPathComponent("model.safetensors.index.json").path
    let single = folder.appendingPathComponent("model.safetensors").path
    var names: [String] = []
    var promised: [(tensor: String, file: String)] = []
    // Links to nothing are there too, and an error when they are opened.
    func isThere(_ path: String) -> Bool {
      var status = stat()
      return lstat(path, &status) == 0
    }
    if isThere(single) {
      names = ["model.safetensors"]
    } else if isThere(indexPath) {
      promised = try Self.weightMap(indexPath)
      names = Array(Set(promised.map(\.file))).sorted()
    } else {
      throw CheckpointError(
        file: path, field: "folder", reason: "found neither model.safetensors nor model.safetensors.index.json")
    }
    var files: [SafetensorsFile] = []
    var index: [[UInt8]: Tensor] = [:]
    var unreadIndex: [[UInt8]: UnreadTensor] = [:]
    for name in names {
      let file = try SafetensorsFile(path: folder.appendingPathComponent(name).path)
      func refuseTwice(_ name: String) throws(CheckpointError) {
        guard index[Array(name.utf8)] == nil, unreadIndex[Array(name.utf8)] == nil else {
          throw CheckpointError(file: file.path, field: name, reason: "the tensor stands in two shards")
        }
      }
      for (name, tensor) in file.tensors {
        try refuseTwice(name)
        index[Array(name.utf8)] = tensor
      }
      for tensor in file.unreadTensors {
        try refuseTwice(tensor.name)
        unreadIndex[Array(tensor.name.utf8)] = tensor
      }
      files.append(file)
    }
    for (tensor, file) in promised where index[Array(tensor.utf8)] == nil && unreadIndex[Array(tensor.utf8)] == nil {
      throw CheckpointError(
        file: indexPath, field: tensor, reason: "the index places it in \(CheckpointError.excerpt(file)), which lacks it")
    }
    var tensors: [(name: String, tensor: Tensor)] = []
    let scales = try Float8Scales(files: files)
    for (name, tensor) in files.flatMap(\.tensors) where !scales.names.contains(Array(name.utf8)) {
      let key = Array(name.utf8)
      if tensor.type != .float8E4M3 {
        tensors.append((name, tensor))
      } else if let scales = scales.scales[key] {
        tensors.append((name, tensor.scaled(by: scales)))
        index[key] = tensor.scaled(by: scales)
      } else {
        index[key] = nil
        unreadIndex[key] = UnreadTensor(
          name: name, type: "F8_E4M3 without weight\(Float8Scales.suffix)", shape: tensor.shape.array)
      }
    }
    self.files = files
    self.tensors = tensors
    self.index = index
    self.unreadIndex = unreadIndex
  }

  /// All tensors that cannot be computed with.
  public var unreadTensors: [UnreadTensor] { Array(unreadIndex.values) }

  /// Whether every file is still what was opened; see `MappedFile.check`.
  /// - Throws: `CheckpointError` naming the file that changed.
  public func check() throws(CheckpointError) {
    for file in files { try file.check() }
  }

  /// The tensor of a name that is there but cannot be computed with.
  public func unreadTensor(named name: String) -> UnreadTensor? { unreadIndex[Array(name.utf8)] }

  public func tensor(named name: String) -> Tensor? { index[Array(name.utf8)] }

  private static func weightMap(_ path: String) throws(CheckpointError) -> [(tensor: String, file: String)] {
    let file = try MappedFile(path: path, maximumBytes: 32 << 20)
    guard let map = try file.json()["weight_map"]?.members, !map.isEmpty else {
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

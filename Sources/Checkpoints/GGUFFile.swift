internal import Foundation
public import SwiftletTensors

/// A GGUF file, version 2 or 3: metadata and tensors, checked as a whole before anything is used.
/// Source: the GGUF specification (ggml, docs/gguf.md).
public struct GGUFFile: Sendable {
  public let path: String
  public let version: Int
  /// Metadata in the file's order.
  public let metadata: [(key: String, value: GGUFValue)]
  /// Tensors in the file's order, over the mapped file. Shapes are slowest first, so reversed from the file's.
  public let tensors: [(name: String, tensor: Tensor)]
  private let metadataIndex: [[UInt8]: Int]
  private let tensorIndex: [[UInt8]: Int]

  /// Maps and validates the file.
  /// - Throws: `CheckpointError` naming the field, what was found and what was expected.
  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    let content = try file.withBytes { bytes throws(CheckpointError) in
      var reader = GGUFReader(path: path, byteCount: bytes.byteCount)
      return try reader.read(bytes)
    }
    self.path = path
    version = content.version
    metadata = content.metadata
    tensors = content.tensors.map { info in
      (
        info.name,
        Tensor(storage: file.storage, byteOffset: info.offset, shape: Shape(info.shape), type: info.type)
      )
    }
    metadataIndex = Dictionary(uniqueKeysWithValues: metadata.indices.map { (Array(content.metadata[$0].key.utf8), $0) })
    tensorIndex = Dictionary(uniqueKeysWithValues: tensors.indices.map { (Array(content.tensors[$0].name.utf8), $0) })
  }

  /// The metadata value of a key.
  public subscript(key: String) -> GGUFValue? { metadataIndex[Array(key.utf8)].map { metadata[$0].value } }

  /// The tensor of a name.
  public func tensor(named name: String) -> Tensor? { tensorIndex[Array(name.utf8)].map { tensors[$0].tensor } }
}

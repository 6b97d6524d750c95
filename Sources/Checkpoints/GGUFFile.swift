internal import Foundation
public import SwiftletTensors

/// A GGUF file, version 2 or 3, or one in several parts: metadata and tensors, checked as a whole before anything is used.
/// Source: the GGUF specification (ggml, docs/gguf.md).
public struct GGUFFile: Sendable {
  public let path: String
  public let version: Int
  /// Metadata in the file's order; of a file in parts, the first one's.
  public let metadata: [(key: String, value: GGUFValue)]
  /// Tensors in the file's order, over the mapped file. Shapes are slowest first, so reversed from the file's.
  public let tensors: [(name: String, tensor: Tensor)]
  /// Tensors that cannot be computed with.
  public let unreadTensors: [UnreadTensor]
  private let metadataPlaces: [Range<Int>]
  /// The file, or its parts in order.
  public let files: [MappedFile]
  private let metadataIndex: [[UInt8]: Int]
  private let tensorIndex: [[UInt8]: Int]
  private let unreadIndex: [[UInt8]: Int]

  /// Maps and validates the file, and all its parts where it is the first of several.
  /// - Throws: `CheckpointError` naming the field, what was found and what was expected.
  public init(path: String) throws(CheckpointError) {
    let parts = try GGUFPart.all(path: path)
    let metadata = parts[0].content.metadata, tensors = parts.flatMap(\.tensors), unread = parts.flatMap(\.content.unread)
    self.path = path
    files = parts.map(\.file)
    version = parts[0].content.version
    self.metadata = metadata
    metadataPlaces = parts[0].content.metadataPlaces
    self.tensors = tensors
    unreadTensors = unread
    metadataIndex = Dictionary(uniqueKeysWithValues: metadata.indices.map { (Array(metadata[$0].key.utf8), $0) })
    tensorIndex = Dictionary(uniqueKeysWithValues: tensors.indices.map { (Array(tensors[$0].name.utf8), $0) })
    unreadIndex = Dictionary(uniqueKeysWithValues: unread.indices.map { (Array(unread[$0].name.utf8), $0) })
  }

  /// Whether every part is still what was opened; see `MappedFile.check`.
  /// - Throws: `CheckpointError` naming the part that changed.
  public func check() throws(CheckpointError) {
    for file in files { try file.check() }
  }

  /// The metadata value of a key.
  public subscript(key: String) -> GGUFValue? { metadataIndex[Array(key.utf8)].map { metadata[$0].value } }

  /// The metadata as it stands in the file, to be written to another one.
  public var encodedMetadata: GGUFMetadata {
    get throws(CheckpointError) {
      try files[0].withBytes { bytes in
        var entries: [(key: String, value: GGUFMetadata.Value)] = []
        for (entry, place) in zip(metadata, metadataPlaces) {
          entries.append((entry.key, .encoded(bytes.extracting(place).withUnsafeBytes { Array($0) })))
        }
        return GGUFMetadata(entries: entries)
      }
    }
  }

  /// The tensor of a name, when it can be computed with.
  public func tensor(named name: String) -> Tensor? { tensorIndex[Array(name.utf8)].map { tensors[$0].tensor } }

  /// The tensor of a name that is there but cannot be computed with.
  public func unreadTensor(named name: String) -> UnreadTensor? {
    unreadIndex[Array(name.utf8)].map { unreadTensors[$0] }
  }

  /// The value of a key: nil when the file lacks it.
  /// - Throws: `CheckpointError` when the value has another type.
  public func integer(_ key: String) throws(CheckpointError) -> Int? { try value(key, "an integer", \.integer) }
  public func double(_ key: String) throws(CheckpointError) -> Double? { try value(key, "a number", \.double) }
  public func bool(_ key: String) throws(CheckpointError) -> Bool? { try value(key, "a boolean", \.bool) }
  public func string(_ key: String) throws(CheckpointError) -> String? { try value(key, "a string", \.string) }
  public func integers(_ key: String) throws(CheckpointError) -> [Int]? { try value(key, "an array of integers", \.integers) }
  public func strings(_ key: String) throws(CheckpointError) -> [String]? { try value(key, "an array of strings", \.strings) }

  private func value<Value>(
    _ key: String, _ expected: String, _ read: (GGUFValue) -> Value?
  ) throws(CheckpointError) -> Value? {
    guard let found = self[key] else { return nil }
    guard let result = read(found) else {
      throw CheckpointError(file: path, field: key, reason: "found \(found.summary), expected \(expected)")
    }
    return result
  }
}

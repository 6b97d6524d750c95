internal import Foundation
public import SwiftletTensors

/// Metadata of a GGUF file that is written: keys in order, each value with its type.
public struct GGUFMetadata: Sendable {
  /// A value in the type it is written as.
  public enum Value: Sendable, Equatable {
    case uint32(Int)
    case int32(Int)
    case float32(Double)
    case bool(Bool)
    case string(String)
    case int32s([Int])
    case strings([String])
    /// Type and value as a file has them.
    case encoded([UInt8])
  }

  public private(set) var entries: [(key: String, value: Value)] = []

  public init() {}

  /// Entries of a file, whose keys differ in their bytes.
  init(entries: [(key: String, value: Value)]) { self.entries = entries }

  public subscript(key: String) -> Value? { entries.first { $0.key == key }?.value }

  /// Appends a key, or gives it another value where it stands; nil removes it.
  public mutating func set(_ key: String, _ value: Value?) {
    if let index = entries.firstIndex(where: { $0.key == key }) {
      if let value { entries[index].value = value } else { entries.remove(at: index) }
    } else if let value {
      entries.append((key, value))
    }
  }
}

/// Writes a GGUF file, version 3: the header first, then one tensor after the other, in pieces of any size. The file appears when it
/// is whole. Source: the GGUF specification (ggml, docs/gguf.md).
public final class GGUFWriter {
  public struct Tensor: Sendable, Equatable {
    public let name: String
    /// Slowest first; rows are whole blocks of the type.
    public let shape: [Int]
    public let type: ElementType

    public init(name: String, shape: [Int], type: ElementType) {
      self.name = name
      self.shape = shape
      self.type = type
    }

    public var byteCount: Int { type.byteCount(of: shape.reduce(1, *)) ?? 0 }
  }

  static let alignment = 32
  private let file: FileWriter
  private let tensors: [Tensor]
  /// The tensor that comes now, and how many of its bytes are there.
  private var index = 0
  private var written = 0

  /// Where the file is until it is finished; it can be opened from the start, what is not written yet being zeros.
  public var temporaryPath: String { file.temporaryPath }

  /// - Throws: `CheckpointError` when the file cannot be written.
  public init(path: String, metadata: GGUFMetadata, tensors: [Tensor]) throws(CheckpointError) {
    let header = Self.header(metadata, tensors)
    self.tensors = tensors
    file = try FileWriter(path: path)
    try file.write(header)
    try file.extend(to: Self.byteCount(headerBytes: header.count, tensors))
    skipEmpty()
  }

  /// Bytes of the whole file.
  public static func byteCount(metadata: GGUFMetadata, tensors: [Tensor]) -> Int {
    byteCount(headerBytes: header(metadata, tensors).count, tensors)
  }

  private static func byteCount(headerBytes: Int, _ tensors: [Tensor]) -> Int {
    tensors.reduce(headerBytes) { $0 + aligned($1.byteCount) }
  }

  private static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  private static func header(_ metadata: GGUFMetadata, _ tensors: [Tensor]) -> [UInt8] {
    var bytes = Array("GGUF".utf8)
    bytes.append(UInt32(3))
    bytes.append(UInt64(tensors.count))
    bytes.append(UInt64(metadata.entries.count))
    for (key, value) in metadata.entries {
      bytes.append(key)
      bytes.append(value)
    }
    var offset = 0
    for tensor in tensors {
      bytes.append(tensor.name)
      bytes.append(UInt32(tensor.shape.count))
      for extent in tensor.shape.reversed() { bytes.append(UInt64(extent)) }
      bytes.append(UInt32(tensor.type.rawValue))
      bytes.append(UInt64(offset))
      offset += aligned(tensor.byteCount)
    }
    bytes += Array(repeating: 0, count: aligned(bytes.count) - bytes.count)
    return bytes
  }

  /// The next bytes of the tensor that comes now, at most as many as it still lacks.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    precondition(index < tensors.count && written + bytes.count <= tensors[index].byteCount, "more bytes than the tensor has")
    try file.write(bytes)
    written += bytes.count
    guard written == tensors[index].byteCount else { return }
    try file.write([UInt8](repeating: 0, count: Self.aligned(written) - written))
    index += 1
    written = 0
    skipEmpty()
  }

  private func skipEmpty() { while index < tensors.count, tensors[index].byteCount == 0 { index += 1 } }

  /// Gives the file its name, when all tensors are there.
  public func finish() throws(CheckpointError) {
    precondition(index == tensors.count, "tensors are missing")
    try file.commit()
  }
}

extension [UInt8] {
  fileprivate mutating func append<Value: FixedWidthInteger>(_ value: Value) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  fileprivate mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }

  /// The type's number and the value.
  fileprivate mutating func append(_ value: GGUFMetadata.Value) {
    switch value {
    case .uint32(let value):
      append(UInt32(4))
      append(UInt32(clamping: value))
    case .int32(let value):
      append(UInt32(5))
      append(Int32(clamping: value))
    case .float32(let value):
      append(UInt32(6))
      append(Float(value).bitPattern)
    case .bool(let value):
      append(UInt32(7))
      append(UInt8(value ? 1 : 0))
    case .string(let value):
      append(UInt32(8))
      append(value)
    case .int32s(let values):
      append(UInt32(9))
      append(UInt32(5))
      append(UInt64(values.count))
      for value in values { append(Int32(clamping: value)) }
    case .strings(let values):
      append(UInt32(9))
      append(UInt32(8))
      append(UInt64(values.count))
      for value in values { append(value) }
    case .encoded(let bytes): append(contentsOf: bytes)
    }
  }
}

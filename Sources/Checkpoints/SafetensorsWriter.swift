internal import Foundation
internal import SwiftletJSON
public import SwiftletTensors

/// Writes a safetensors file: the header first, then one tensor after the other, in pieces of any size. The file appears when it is
/// whole: a reader sees the old file or the new one.
public final class SafetensorsWriter {
  public struct Tensor: Sendable, Equatable {
    public let name: String
    public let shape: [Int]
    /// F32, F16 or BF16; nil for bytes, U8.
    public let type: ElementType?

    public init(name: String, shape: [Int], type: ElementType?) {
      self.name = name
      self.shape = shape
      self.type = type
    }

    public var byteCount: Int {
      let count = shape.reduce(1, *)
      return type.map { $0.byteCount(of: count) ?? 0 } ?? count
    }
  }

  private static let typeNames: [ElementType?: String] = [.float32: "F32", .float16: "F16", .bfloat16: "BF16", nil: "U8"]
  private let file: FileWriter
  private let byteCount: Int

  /// - Parameter metadata: the header's `__metadata__`; transformers asks for `format` there.
  /// - Throws: `CheckpointError` for a type the format lacks or when the file cannot be written.
  public init(
    path: String, tensors: [Tensor], metadata: [(key: String, value: String)] = []
  ) throws(CheckpointError) {
    let header = try Self.header(path, tensors, metadata)
    file = try FileWriter(path: path)
    byteCount = header.count + tensors.reduce(0) { $0 + $1.byteCount }
    try file.write(header)
  }

  /// Bytes of the whole file.
  public static func byteCount(tensors: [Tensor], metadata: [(key: String, value: String)] = []) throws(CheckpointError) -> Int {
    try header("safetensors", tensors, metadata).count + tensors.reduce(0) { $0 + $1.byteCount }
  }

  private static func header(
    _ path: String, _ tensors: [Tensor], _ metadata: [(key: String, value: String)]
  ) throws(CheckpointError) -> [UInt8] {
    var members: [JSONMember] = []
    if !metadata.isEmpty {
      let values = metadata.map { JSONMember(key: $0.key, value: .string($0.value)) }
      members.append(JSONMember(key: "__metadata__", value: .object(values)))
    }
    var offset = 0
    for tensor in tensors {
      guard let type = typeNames[tensor.type] else {
        throw CheckpointError(file: path, field: tensor.name, reason: "safetensors has no type \(tensor.type?.name ?? "U8")")
      }
      let end = offset + tensor.byteCount
      members.append(
        JSONMember(
          key: tensor.name,
          value: [
            "dtype": .string(type), "shape": .array(tensor.shape.map { .integer($0) }),
            "data_offsets": [.integer(offset), .integer(end)],
          ]))
      offset = end
    }
    var header = Array(JSONValue.object(members).serialized().utf8)
    // The data starts at a multiple of eight.
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
  }

  /// The next bytes of the tensors, one after the other.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) { try file.write(bytes) }

  /// Gives the file its name, when all tensors are there.
  public func finish() throws(CheckpointError) {
    precondition(file.byteCount == byteCount, "tensors are missing")
    try file.commit()
  }

  /// Writes whole tensors.
  public static func write(_ tensors: [(name: String, tensor: SwiftletTensors.Tensor)], to path: String) throws(CheckpointError) {
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { Tensor(name: $0.name, shape: $0.tensor.shape.array, type: $0.tensor.type) })
    for (_, tensor) in tensors {
      try writer.append(UnsafeRawBufferPointer(start: tensor.address, count: tensor.shape.rows * tensor.rowBytes))
    }
    try writer.finish()
  }
}

internal import Foundation
internal import SwiftletJSON
public import SwiftletTensors

/// Writes safetensors files.
public enum SafetensorsWriter {
  /// Writes tensors of F32, F16 or BF16 to a new file, atomically: a reader sees the old file or the whole new one.
  /// - Throws: `CheckpointError` for a type the format lacks or when the file cannot be written.
  public static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws(CheckpointError) {
    let names: [ElementType: String] = [.float32: "F32", .float16: "F16", .bfloat16: "BF16"]
    var members: [JSONMember] = []
    var offset = 0
    for (name, tensor) in tensors {
      guard let type = names[tensor.type] else {
        throw CheckpointError(file: path, field: name, reason: "safetensors has no type \(tensor.type.name)")
      }
      let end = offset + tensor.shape.count * tensor.type.blockBytes
      members.append(
        JSONMember(
          key: name,
          value: [
            "dtype": .string(type), "shape": .array(tensor.shape.array.map { .integer($0) }),
            "data_offsets": [.integer(offset), .integer(end)],
          ]))
      offset = end
    }
    var header = Array(JSONValue.object(members).serialized().utf8)
    // The data starts at a multiple of eight.
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    var content = Data(capacity: 8 + header.count + offset)
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { content.append(contentsOf: $0) }
    content.append(contentsOf: header)
    for (_, tensor) in tensors {
      content.append(
        contentsOf: UnsafeRawBufferPointer(start: tensor.address, count: tensor.shape.count * tensor.type.blockBytes))
    }
    do {
      try content.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw CheckpointError(file: path, field: "file", reason: "cannot be written: \(error.localizedDescription)")
    }
  }
}

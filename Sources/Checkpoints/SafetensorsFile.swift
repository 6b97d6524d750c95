internal import SwiftletJSON
public import SwiftletTensors

/// One safetensors file: an 8-byte length, a JSON header of that length, then the tensors' bytes.
/// Source: the safetensors format description (huggingface/safetensors, README).
public struct SafetensorsFile: Sendable {
  /// The format's own limit for the header.
  private static let maximumHeaderBytes = 100_000_000
  public let path: String
  /// Tensors in the header's order, over the mapped file.
  public let tensors: [(name: String, tensor: Tensor)]
  /// The header's `__metadata__`.
  public let metadata: [(key: String, value: String)]

  /// Maps and validates the file.
  /// - Throws: `CheckpointError` naming the tensor or header field, what was found and what was expected.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    let file = try MappedFile(path: path)
    let (header, start) = try file.withBytes { bytes throws(CheckpointError) in try Self.header(of: bytes, path) }
    guard case .object(let members) = header else {
      throw CheckpointError(file: path, field: "header", reason: "found a JSON \(header.typeName), expected an object")
    }
    var tensors: [(name: String, tensor: Tensor)] = []
    var metadata: [(key: String, value: String)] = []
    var names = Set<[UInt8]>()
    for member in members {
      guard names.insert(Array(member.key.utf8)).inserted else {
        throw CheckpointError(file: path, field: member.key, reason: "the name stands twice in the header")
      }
      if member.key == "__metadata__" {
        metadata = (member.value.members ?? []).map { ($0.key, $0.value.string ?? "") }
      } else {
        tensors.append((member.key, try Self.tensor(member, file, dataStart: start)))
      }
    }
    self.tensors = tensors
    self.metadata = metadata
  }

  private static func header(of bytes: RawSpan, _ path: String) throws(CheckpointError) -> (JSONValue, start: Int) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "header", reason: reason) }
    guard bytes.byteCount >= 8 else { throw failure("the file has \(bytes.byteCount) bytes, expected at least 8; it is truncated") }
    let length = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
    guard length <= UInt64(min(bytes.byteCount - 8, maximumHeaderBytes)) else {
      throw failure("found a length of \(length), but the file has \(bytes.byteCount) bytes; it is truncated or no safetensors file")
    }
    do {
      return (try JSONValue(parsing: bytes.extracting(8..<8 + Int(length))), 8 + Int(length))
    } catch {
      throw failure("is no JSON: \(error)")
    }
  }

  private static func tensor(_ member: JSONMember, _ file: MappedFile, dataStart: Int) throws(CheckpointError) -> Tensor {
    let name = member.key
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: file.path, field: name, reason: reason) }
    let types: [String: ElementType] = ["F32": .float32, "F16": .float16, "BF16": .bfloat16]
    guard let typeName = member.value["dtype"]?.string else { throw failure("dtype is missing") }
    guard let type = types[typeName] else { throw failure("found dtype \(typeName), expected F32, F16 or BF16") }
    guard let extents = member.value["shape"]?.elements?.map(\.integer), extents.count <= Shape.maximumRank else {
      throw failure("shape is missing or has more than \(Shape.maximumRank) dimensions")
    }
    var shape: [Int] = []
    var elements = 1
    for extent in extents {
      guard let extent, extent >= 0, !elements.multipliedReportingOverflow(by: extent).overflow else {
        throw failure("found a shape that is no list of integers from 0 whose product fits 63 bits")
      }
      elements *= extent
      shape.append(extent)
    }
    guard let offsets = member.value["data_offsets"]?.elements?.map(\.integer), offsets.count == 2,
      let begin = offsets[0], let end = offsets[1], begin >= 0, begin <= end, end <= file.byteCount - dataStart
    else {
      throw failure("data_offsets are missing or pass the end of the file at \(file.byteCount); it is truncated")
    }
    guard let size = type.byteCount(of: elements), size == end - begin else {
      throw failure("found \(end - begin) bytes, expected \(type.byteCount(of: elements) ?? 0) for \(Shape(shape)) of \(typeName)")
    }
    return Tensor(storage: file.storage, byteOffset: dataStart + begin, shape: Shape(shape), type: type)
  }
}

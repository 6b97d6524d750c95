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
  /// Tensors of types no model computes with; integer buffers are common. Weights of such a type are refused by name.
  public let otherTensors: [OtherTensor]
  /// The header's `__metadata__`.
  public let metadata: [(key: String, value: String)]
  private let file: MappedFile

  /// A tensor whose type is not computed with.
  public struct OtherTensor: Sendable {
    public let name: String
    /// As the header writes it: `I32`, `F8_E4M3`.
    public let type: String
    public let shape: Shape
    let bytes: Range<Int>
  }

  /// Bytes of one value of the format's types.
  private static let valueBytes = [
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4,
    "I32": 4,
    "F32": 4, "U64": 8, "I64": 8, "F64": 8,
  ]

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
    var otherTensors: [OtherTensor] = []
    var metadata: [(key: String, value: String)] = []
    var names = Set<[UInt8]>()
    var places: [(name: String, bytes: Range<Int>)] = []
    for member in members {
      guard names.insert(Array(member.key.utf8)).inserted else {
        throw CheckpointError(file: path, field: member.key, reason: "the name stands twice in the header")
      }
      if member.key == "__metadata__" {
        metadata = (member.value.members ?? []).map { ($0.key, $0.value.string ?? "") }
      } else {
        let entry = try Self.entry(member, path: path, dataStart: start, fileBytes: file.byteCount)
        places.append((entry.name, entry.bytes))
        if let type = Self.elementTypes[entry.type] {
          tensors.append(
            (entry.name, Tensor(storage: file.storage, byteOffset: entry.bytes.lowerBound, shape: entry.shape, type: type)))
        } else {
          otherTensors.append(entry)
        }
      }
    }
    if let (first, second) = firstOverlap(places) {
      throw CheckpointError(file: path, field: second, reason: "its bytes overlap those of \(first)")
    }
    self.file = file
    self.tensors = tensors
    self.otherTensors = otherTensors
    self.metadata = metadata
  }

  private static func header(of bytes: RawSpan, _ path: String) throws(CheckpointError) -> (JSONValue, start: Int) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "header", reason: reason) }
    guard bytes.byteCount >= 8 else {
      throw failure("the file has \(bytes.byteCount) bytes, expected at least 8; it is truncated")
    }
    let length = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
    guard length <= UInt64(min(bytes.byteCount - 8, maximumHeaderBytes)) else {
      throw failure(
        "found a length of \(length), but the file has \(bytes.byteCount) bytes; it is truncated or no safetensors file")
    }
    do {
      return (try JSONValue(parsing: bytes.extracting(8..<8 + Int(length))), 8 + Int(length))
    } catch {
      throw failure("is no JSON: \(error)")
    }
  }

  private static let elementTypes: [String: ElementType] = ["F32": .float32, "F16": .float16, "BF16": .bfloat16]

  private static func entry(
    _ member: JSONMember, path: String, dataStart: Int, fileBytes: Int
  ) throws(CheckpointError) -> OtherTensor {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: member.key, reason: reason) }
    guard let type = member.value["dtype"]?.string else { throw failure("dtype is missing or no string") }
    guard let valueBytes = valueBytes[type] else {
      throw failure("found dtype \(type.prefix(20)), expected one of the format's types")
    }
    guard let extents = member.value["shape"]?.elements?.map(\.integer), extents.count <= Shape.maximumRank else {
      throw failure("shape is missing or has more than \(Shape.maximumRank) dimensions")
    }
    var shape: [Int] = []
    var bytes = valueBytes
    for extent in extents {
      guard let extent, extent >= 0, !bytes.multipliedReportingOverflow(by: extent).overflow else {
        throw failure("found a shape that is no list of integers from 0 whose size fits 63 bits")
      }
      bytes *= extent
      shape.append(extent)
    }
    guard let offsets = member.value["data_offsets"]?.elements?.map(\.integer), offsets.count == 2,
      let begin = offsets[0], let end = offsets[1], begin >= 0, begin <= end, end <= fileBytes - dataStart
    else {
      throw failure("data_offsets are missing or pass the end of the file at byte \(fileBytes); it is truncated")
    }
    guard bytes == end - begin else {
      throw failure("found \(end - begin) bytes, expected \(bytes) for \(Shape(shape)) of \(type)")
    }
    return OtherTensor(name: member.key, type: type, shape: Shape(shape), bytes: dataStart + begin..<dataStart + end)
  }

  /// The values of a tensor of 32- or 64-bit integers; nil when there is none of that name.
  public func integers(named name: String) -> [Int]? {
    guard let tensor = otherTensors.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { return nil }
    return file.withBytes { bytes in
      switch tensor.type {
      case "I32":
        (0..<tensor.shape.count).map {
          Int(Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: tensor.bytes.lowerBound + 4 * $0, as: Int32.self)))
        }
      case "I64":
        (0..<tensor.shape.count).map {
          Int(Int64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: tensor.bytes.lowerBound + 8 * $0, as: Int64.self)))
        }
      default: nil
      }
    }
  }
}

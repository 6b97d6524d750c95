internal import SwiftletJSON
public import SwiftletTensors

/// One safetensors file: an 8-byte length, a JSON header of that length, then the tensors' bytes.
/// Source: the safetensors format description (huggingface/safetensors, README).
public struct SafetensorsFile: Sendable {
  /// For the header. The format allows 100 MB, which take gigabytes when they are read; 32 MB hold some 200,000 tensors.
  private static let maximumHeaderBytes = 32 << 20
  public let path: String
  /// Tensors in the header's order, over the mapped file. FP8 ones have no scales yet: these are tensors of their own.
  public let tensors: [(name: String, tensor: Tensor)]
  /// Tensors that cannot be computed with; integer buffers are common.
  public let unreadTensors: [UnreadTensor]
  /// The header's `__metadata__`.
  public let metadata: [(key: String, value: String)]
  public let file: MappedFile
  /// Where the unread tensors' bytes are, in their order.
  private let unreadPlaces: [Range<Int>]

  private struct Entry {
    var type: String
    var shape: [Int]
    /// From the start of the file.
    var bytes: Range<Int>
  }

  /// Bytes of one value of the types that are known; later versions of the format have others.
  private static let valueBytes = [
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4,
    "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
  ]

  /// About what a tensor takes in memory, in the header's JSON and in tables: for all of them four times the file's size may be
  /// taken, and 16 MB for small files.
  private static let tensorBytes = 800

  /// Maps and validates the file.
  /// - Throws: `CheckpointError` naming the tensor or header field, what was found and what was expected.
  public init(path: String) throws(CheckpointError) {
    self.path = path
    let file = try MappedFile(path: path)
    let (header, start) = try file.withBytes { bytes throws(CheckpointError) in try Self.header(of: bytes, path) }
    guard case .object(let members) = header else {
      throw CheckpointError(file: path, field: "header", reason: "found a JSON \(header.typeName), expected an object")
    }
    let maximumCount = (4 * min(file.byteCount, 1 << 40) + (16 << 20)) / Self.tensorBytes
    guard members.count <= maximumCount else {
      throw CheckpointError(
        file: path, field: "header",
        reason: "found \(members.count) tensors in \(file.byteCount) bytes, expected at most \(maximumCount)")
    }
    var tensors: [(name: String, tensor: Tensor)] = []
    var unread: [UnreadTensor] = []
    var unreadPlaces: [Range<Int>] = []
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
        places.append((member.key, entry.bytes))
        if let type = Self.elementTypes[entry.type], entry.shape.count <= Shape.maximumRank {
          let tensor = Tensor(
            storage: file.storage, byteOffset: entry.bytes.lowerBound, shape: Shape(entry.shape), type: type)
          tensors.append((member.key, tensor))
        } else {
          unread.append(UnreadTensor(name: member.key, type: entry.type, shape: entry.shape))
          unreadPlaces.append(entry.bytes)
        }
      }
    }
    if let (first, second) = firstOverlap(places) {
      throw CheckpointError(file: path, field: second, reason: "its bytes overlap those of \(CheckpointError.excerpt(first))")
    }
    let end = places.map(\.bytes.upperBound).max() ?? start
    guard end == file.byteCount else {
      throw CheckpointError(
        file: path, field: "file", reason: "has \(file.byteCount) bytes, expected \(end), where the last tensor ends")
    }
    self.file = file
    self.tensors = tensors
    unreadTensors = unread
    self.unreadPlaces = unreadPlaces
    self.metadata = metadata
  }

  private static func header(of bytes: RawSpan, _ path: String) throws(CheckpointError) -> (JSONValue, start: Int) {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: "header", reason: reason) }
    guard bytes.byteCount >= 8 else {
      throw failure("the file has \(bytes.byteCount) bytes, expected at least 8; it is truncated")
    }
    let length = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
    guard length <= UInt64(maximumHeaderBytes) else {
      throw failure("found a length of \(length) bytes, expected at most \(maximumHeaderBytes); is it a safetensors file?")
    }
    guard length <= UInt64(bytes.byteCount - 8) else {
      throw failure(
        "found a length of \(length), but the file has \(bytes.byteCount) bytes; it is truncated or no safetensors file")
    }
    do {
      return (try JSONValue(parsing: bytes.extracting(8..<8 + Int(length))), 8 + Int(length))
    } catch {
      throw failure("is no JSON: \(error)")
    }
  }

  private static let elementTypes: [String: ElementType] = [
    "F32": .float32, "F16": .float16, "BF16": .bfloat16, "F8_E4M3": .float8E4M3,
  ]

  private static func entry(
    _ member: JSONMember, path: String, dataStart: Int, fileBytes: Int
  ) throws(CheckpointError) -> Entry {
    func failure(_ reason: String) -> CheckpointError { CheckpointError(file: path, field: member.key, reason: reason) }
    func found(_ field: String) -> String {
      member.value[field].map { "found \(CheckpointError.excerpt($0.serialized()))" } ?? "is missing"
    }
    guard let type = member.value["dtype"]?.string, !type.isEmpty, type.utf8.count <= 20 else {
      throw failure("dtype: \(found("dtype")), expected a type such as F32")
    }
    var shape: [Int] = []
    // Zeros count as ones: rows and columns are measured for themselves, also where a tensor has none of the other.
    var largest = valueBytes[type] ?? 1
    guard let extents = member.value["shape"]?.elements else {
      throw failure("shape: \(found("shape")), expected a list of integers")
    }
    for extent in extents {
      guard let extent = extent.integer, extent >= 0, !largest.multipliedReportingOverflow(by: max(1, extent)).overflow else {
        throw failure("shape: \(found("shape")), expected integers from 0 whose size fits 63 bits")
      }
      largest *= max(1, extent)
      shape.append(extent)
    }
    let bytes = shape.contains(0) ? 0 : largest
    guard let offsets = member.value["data_offsets"]?.elements?.map(\.integer), offsets.count == 2,
      let begin = offsets[0], let end = offsets[1], begin >= 0, begin <= end
    else {
      throw failure("data_offsets: \(found("data_offsets")), expected two integers from 0, the second not below the first")
    }
    guard end <= fileBytes - dataStart else {
      throw failure("its bytes pass the end of the file: \(end) of \(fileBytes - dataStart) after the header; it is truncated")
    }
    guard valueBytes[type] == nil || bytes == end - begin else {
      throw failure("found \(end - begin) bytes, expected \(bytes) for \(shape) of \(type)")
    }
    return Entry(type: type, shape: shape, bytes: dataStart + begin..<dataStart + end)
  }

  /// Whether the file is still what was opened; see `MappedFile.check`.
  public func check() throws(CheckpointError) { try file.check() }

  /// The values of a tensor of 32- or 64-bit integers; nil when there is none of that name.
  public func integers(named name: String) throws(CheckpointError) -> [Int]? {
    guard let index = unreadTensors.firstIndex(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { return nil }
    let place = unreadPlaces[index]
    return try file.withBytes { bytes in
      switch unreadTensors[index].type {
      case "I32":
        stride(from: place.lowerBound, to: place.upperBound, by: 4).map {
          Int(Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: $0, as: Int32.self)))
        }
      case "I64":
        stride(from: place.lowerBound, to: place.upperBound, by: 8).map {
          Int(Int64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: $0, as: Int64.self)))
        }
      default: nil
      }
    }
  }

  /// Memory that a tensor's bytes are copied to.
  public struct Destination {
    public var name: String
    public var shape: [Int]
    /// F32, F16 or BF16; nil for bytes, U8.
    public var type: ElementType?
    public var memory: UnsafeMutableRawBufferPointer

    public init(name: String, shape: [Int], type: ElementType?, memory: UnsafeMutableRawBufferPointer) {
      self.name = name
      self.shape = shape
      self.type = type
      self.memory = memory
    }
  }

  /// Copies tensors as they are stored.
  /// - Throws: `CheckpointError` naming the first that is missing, or of another shape or type.
  public func copy(to destinations: [Destination]) throws(CheckpointError) {
    var found: [String: (shape: [Int], type: ElementType?, start: Int)] = [:]
    for (name, tensor) in tensors { found[name] = (tensor.shape.array, tensor.type, tensor.byteOffset) }
    for (tensor, place) in zip(unreadTensors, unreadPlaces) where tensor.type == "U8" {
      found[tensor.name] = (tensor.shape, nil, place.lowerBound)
    }
    for destination in destinations {
      func text(_ shape: [Int], _ type: ElementType?) -> String { "\(Shape(shape)) of \(type?.name ?? "U8")" }
      let tensor = found[destination.name]
      guard let tensor, tensor.shape == destination.shape, tensor.type == destination.type else {
        throw CheckpointError(
          file: path, field: destination.name,
          reason: "found \(tensor.map { text($0.shape, $0.type) } ?? "no such tensor"), "
            + "expected \(text(destination.shape, destination.type))")
      }
      guard let target = destination.memory.baseAddress else { continue }
      target.copyMemory(from: file.storage.address + tensor.start, byteCount: destination.memory.count)
    }
    try file.check()
  }

  /// The values of the unread tensor at `index` when they are powers of two, `F8_E8M0`, in which scales may be stored.
  /// Source: OCP Microscaling Formats (MX) 1.0, section 5.4.1.
  func powersOfTwo(unreadTensorAt index: Int) throws(CheckpointError) -> [Float]? {
    guard unreadTensors[index].type == "F8_E8M0" else { return nil }
    return try file.withBytes { bytes throws(CheckpointError) in
      unreadPlaces[index].map { place in
        switch bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self) {
        case 0: 0x1p-127
        case 255: .nan
        case let exponent: Float(bitPattern: UInt32(exponent) << 23)
        }
      }
    }
  }
}

internal import SwiftletTensors

/// Reads the header of a GGUF file. Every count is bounded, and by more than the bytes that are left: a sparse file of seven
/// terabytes takes no room on the disk. What the entries take in memory is bounded by four times the file's size, and 16 MB for small
/// files: an empty name is eight bytes in a file, and some hundred here.
struct GGUFReader {
  struct TensorInformation {
    var name: String
    var shape: [Int]
    var type: ElementType
    /// From the start of the file.
    var offset: Int
  }

  struct Content {
    var version: Int
    var metadata: [(key: String, value: GGUFValue)] = []
    /// Where each value's type and bytes are in the file.
    var metadataPlaces: [Range<Int>] = []
    var tensors: [TensorInformation] = []
    var unread: [UnreadTensor] = []
  }

  private static let maximumArrayDepth = 4
  private static let maximumMetadataCount = 65_536
  private static let maximumTensorCount = 1_000_000
  private static let maximumNameBytes = 64 << 10
  private static let maximumStringBytes = 16 << 20
  /// Of all arrays together; a vocabulary of 256,000 tokens with types, scores and merges takes about a million.
  private static let maximumElementCount = 16 << 20
  /// Of metadata and tensor entries; those of a large vocabulary take some 20 MB.
  private static let maximumHeaderBytes = 256 << 20
  /// About what an entry of each kind takes beside its texts, in the reader and in `GGUFFile`'s tables.
  private static let metadataBytes = 250, tensorBytes = 700
  private let path: String
  private let byteCount: Int
  /// Where the header must have ended.
  private let limit: Int
  private var position = 0
  private var elementCount = 0
  private var memoryLeft: Int

  init(path: String, byteCount: Int) {
    self.path = path
    self.byteCount = byteCount
    limit = min(byteCount, Self.maximumHeaderBytes)
    memoryLeft = 4 * min(byteCount, 1 << 40) + (16 << 20)
  }

  mutating func read(_ bytes: RawSpan) throws(CheckpointError) -> Content {
    let magic: UInt32 = try load(bytes, "magic")
    guard magic == 0x4655_4747 else {
      throw failure("magic", "found 0x\(String(UInt32(bigEndian: magic), radix: 16)), expected \"GGUF\"; this is no GGUF file")
    }
    let version: UInt32 = try load(bytes, "version")
    guard version == 2 || version == 3 else {
      let hint = (1...3).contains(version.byteSwapped) ? " (a big-endian file)" : ""
      throw failure("version", "found \(version)\(hint), expected 2 or 3")
    }
    var content = Content(version: Int(version))
    // The smallest tensor entry has 8 + 4 + 4 + 8 bytes, the smallest metadata entry 8 + 4 + 1.
    let tensorCount = try count(bytes, "tensor count", smallestEntry: 24, maximum: Self.maximumTensorCount)
    let metadataCount = try count(bytes, "metadata count", smallestEntry: 13, maximum: Self.maximumMetadataCount)
    try readMetadata(bytes, metadataCount, into: &content)
    try readTensors(bytes, tensorCount, into: &content)
    return content
  }

  private func failure(_ field: String, _ reason: String) -> CheckpointError {
    CheckpointError(file: path, field: field, reason: reason)
  }

  /// Counts memory before it is taken.
  private mutating func take(_ bytes: Int, _ field: @autoclosure () -> String) throws(CheckpointError) {
    memoryLeft -= bytes
    guard memoryLeft >= 0 else {
      throw failure(field(), "with it the header takes more than four times the file's \(byteCount) bytes in memory")
    }
  }

  private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, _ field: @autoclosure () -> String
  ) throws(CheckpointError) -> Value {
    let size = MemoryLayout<Value>.size
    guard limit - position >= size else {
      guard limit == byteCount else { throw failure(field(), "the header passes byte \(limit), expected a shorter one") }
      throw failure(field(), "the file ends at byte \(byteCount), expected \(size) bytes at \(position); it is truncated")
    }
    defer { position += size }
    return Value(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Value.self))
  }

  private mutating func count(
    _ bytes: RawSpan, _ field: @autoclosure () -> String, smallestEntry: Int, maximum: Int
  ) throws(CheckpointError) -> Int {
    let value: UInt64 = try load(bytes, field())
    guard value <= UInt64(maximum) else { throw failure(field(), "found \(value), expected at most \(maximum)") }
    let left = UInt64(limit - position)
    guard value <= left / UInt64(smallestEntry) else {
      throw failure(field(), "found \(value), but the \(left) bytes that are left hold at most \(left / UInt64(smallestEntry))")
    }
    return Int(value)
  }

  private mutating func string(
    _ bytes: RawSpan, _ field: @autoclosure () -> String, maximum: Int = maximumStringBytes
  ) throws(CheckpointError) -> String {
    let length = try count(bytes, "length of \(field())", smallestEntry: 1, maximum: maximum)
    // Short strings are part of their value.
    if length > 15 { try take(length + 48, field()) }
    defer { position += length }
    let part = bytes.extracting(position..<position + length)
    return part.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  private mutating func readMetadata(_ bytes: RawSpan, _ count: Int, into content: inout Content) throws(CheckpointError) {
    var seen = Set<[UInt8]>()
    for index in 0..<count {
      let key = try string(bytes, "key \(index) of the metadata", maximum: Self.maximumNameBytes)
      try take(Self.metadataBytes + 2 * key.utf8.count, key)
      guard seen.insert(Array(key.utf8)).inserted else { throw failure(key, "the key stands twice in the metadata") }
      let start = position
      let type: UInt32 = try load(bytes, "type of \(key)")
      content.metadata.append((key, try value(bytes, key, type)))
      content.metadataPlaces.append(start..<position)
    }
  }

  private mutating func value(_ bytes: RawSpan, _ key: String, _ type: UInt32) throws(CheckpointError) -> GGUFValue {
    switch type {
    case 0...5, 10, 11: return .integer(try integer(bytes, key, type))
    case 6, 12: return .float(try float(bytes, key, type))
    case 7: return .bool(try bool(bytes, key))
    case 8: return .string(try string(bytes, key))
    case 9: return .array(try array(bytes, key, depth: 1))
    default: throw failure(key, "found value type \(type), expected 0 to 12")
    }
  }

  private mutating func integer(_ bytes: RawSpan, _ key: String, _ type: UInt32) throws(CheckpointError) -> Int {
    switch type {
    case 0: return Int(try load(bytes, key) as UInt8)
    case 1: return Int(try load(bytes, key) as Int8)
    case 2: return Int(try load(bytes, key) as UInt16)
    case 3: return Int(try load(bytes, key) as Int16)
    case 4: return Int(try load(bytes, key) as UInt32)
    case 5: return Int(try load(bytes, key) as Int32)
    case 11: return Int(try load(bytes, key) as Int64)
    default:
      let value: UInt64 = try load(bytes, key)
      guard let result = Int(exactly: value) else { throw failure(key, "found \(value), expected at most \(Int.max)") }
      return result
    }
  }

  private mutating func float(_ bytes: RawSpan, _ key: String, _ type: UInt32) throws(CheckpointError) -> Double {
    type == 6 ? Double(Float(bitPattern: try load(bytes, key))) : Double(bitPattern: try load(bytes, key))
  }

  private mutating func bool(_ bytes: RawSpan, _ key: String) throws(CheckpointError) -> Bool {
    let value: UInt8 = try load(bytes, key)
    guard value <= 1 else { throw failure(key, "found \(value), expected 0 or 1 for a boolean") }
    return value == 1
  }

  private mutating func array(_ bytes: RawSpan, _ key: String, depth: Int) throws(CheckpointError) -> GGUFArray {
    guard depth <= Self.maximumArrayDepth else { throw failure(key, "arrays nested more than \(Self.maximumArrayDepth) deep") }
    let type: UInt32 = try load(bytes, "element type of \(key)")
    let sizes: [UInt32: Int] = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 8: 8, 9: 12, 10: 8, 11: 8, 12: 8]
    guard let size = sizes[type] else { throw failure(key, "found element type \(type), expected 0 to 12") }
    let count = try count(
      bytes, "length of \(key)", smallestEntry: size, maximum: Self.maximumElementCount - elementCount)
    elementCount += count
    // Integers and floats take eight bytes here, strings and arrays sixteen.
    try take(48 + count * (type == 7 ? 1 : type == 8 || type == 9 ? 16 : 8), key)
    func list<Element>() -> [Element] {
      var list: [Element] = []
      list.reserveCapacity(count)
      return list
    }
    switch type {
    case 6, 12:
      var values: [Double] = list()
      for _ in 0..<count { values.append(try float(bytes, key, type)) }
      return .floats(values)
    case 7:
      var values: [Bool] = list()
      for _ in 0..<count { values.append(try bool(bytes, key)) }
      return .bools(values)
    case 8:
      var values: [String] = list()
      for index in 0..<count { values.append(try string(bytes, "\(key)[\(index)]")) }
      return .strings(values)
    case 9:
      var values: [GGUFArray] = list()
      for index in 0..<count { values.append(try array(bytes, "\(key)[\(index)]", depth: depth + 1)) }
      return .arrays(values)
    default:
      var values: [Int] = list()
      for _ in 0..<count { values.append(try integer(bytes, key, type)) }
      return .integers(values)
    }
  }

  private mutating func readTensors(_ bytes: RawSpan, _ count: Int, into content: inout Content) throws(CheckpointError) {
    var seen = Set<[UInt8]>()
    for index in 0..<count {
      let name = try string(bytes, "name of tensor \(index)", maximum: Self.maximumNameBytes)
      try take(Self.tensorBytes + 2 * name.utf8.count, name)
      guard seen.insert(Array(name.utf8)).inserted else { throw failure(name, "the tensor stands twice in the file") }
      try readTensor(bytes, name, into: &content)
    }
    let alignmentKey = "general.alignment"
    let alignmentValue = content.metadata.first { $0.key == alignmentKey }?.value ?? .integer(32)
    guard let alignment = alignmentValue.integer else {
      throw failure(alignmentKey, "found \(alignmentValue.summary), expected an integer")
    }
    guard alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
      throw failure(alignmentKey, "found \(alignment), expected a power of two up to 1048576")
    }
    let start = (position + alignment - 1) / alignment * alignment
    var places: [(name: String, bytes: Range<Int>)] = []
    for index in content.tensors.indices {
      let tensor = content.tensors[index]
      let elements = tensor.shape.reduce(1, *)
      guard let size = tensor.type.byteCount(of: elements), tensor.offset % alignment == 0 else {
        throw failure(tensor.name, "found offset \(tensor.offset), expected a multiple of \(alignment)")
      }
      let (end, overflow) = (start + tensor.offset).addingReportingOverflow(size)
      guard !overflow, end <= byteCount else {
        throw failure(
          tensor.name,
          "its \(size) bytes at offset \(start) + \(tensor.offset) pass the end of the file at \(byteCount); it is truncated")
      }
      content.tensors[index].offset += start
      places.append((tensor.name, start + tensor.offset..<end))
    }
    if let (first, second) = firstOverlap(places) {
      throw failure(second, "its bytes overlap those of \(CheckpointError.excerpt(first))")
    }
  }

  private mutating func readTensor(_ bytes: RawSpan, _ name: String, into content: inout Content) throws(CheckpointError) {
    let rank: UInt32 = try load(bytes, "dimensions of \(name)")
    guard rank <= 4 else { throw failure(name, "found \(rank) dimensions, expected at most 4") }
    var extents: [Int] = []
    var elements = 1
    for _ in 0..<rank {
      let extent: UInt64 = try load(bytes, "extents of \(name)")
      guard let value = Int(exactly: extent), value > 0, !elements.multipliedReportingOverflow(by: value).overflow else {
        throw failure(name, "found the extent \(extent), expected extents from 1 whose product fits 63 bits")
      }
      elements *= value
      extents.append(value)
    }
    let number: UInt32 = try load(bytes, "type of \(name)")
    let offset: UInt64 = try load(bytes, "offset of \(name)")
    guard offset <= UInt64(byteCount) else {
      throw failure(name, "found offset \(offset), past the end of the file at \(byteCount); it is truncated")
    }
    guard let type = ElementType.ggufTypes.first(where: { UInt32($0.rawValue) == number }) else {
      content.unread.append(UnreadTensor(name: name, type: Self.typeName(number), shape: extents.reversed()))
      return
    }
    let columns = extents.first ?? 1
    guard columns % type.blockLength == 0, type.byteCount(of: elements) != nil else {
      throw failure(name, "found rows of \(columns) values, expected a multiple of \(type.blockLength) for \(type.name)")
    }
    content.tensors.append(TensorInformation(name: name, shape: extents.reversed(), type: type, offset: Int(offset)))
  }

  /// Names of types that exist but are not read, for error messages.
  private static func typeName(_ number: UInt32) -> String {
    let names: [UInt32: String] = [
      9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S", 24: "I8",
      25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]
    return names[number].map { "\($0) (\(number))" } ?? "\(number)"
  }
}

/// A GGUF file taken apart, to be changed in its fields and written again: what byte flips seldom reach behind the first check.
/// Reads well-formed files only.
package struct GGUFDocument {
  package struct Entry {
    package var key: [UInt8]
    package var type: UInt32
    /// As the file has it, without the type.
    package var value: [UInt8]
  }

  package struct TensorEntry: Equatable {
    package var name: [UInt8]
    package var extents: [UInt64]
    package var type: UInt32
    package var offset: UInt64

    package init(name: [UInt8], extents: [UInt64], type: UInt32, offset: UInt64) {
      self.name = name
      self.extents = extents
      self.type = type
      self.offset = offset
    }
  }

  package var metadata: [Entry] = []
  package var tensors: [TensorEntry] = []
  /// All tensors' bytes, from the aligned start on.
  package var data: [UInt8]
  /// Bytes before `data` in the file that was read.
  package let headerCount: Int

  package init(_ bytes: [UInt8]) {
    var position = 8
    func integer(_ size: Int) -> UInt64 {
      defer { position += size }
      return (0..<size).reduce(0) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
    }
    func string() -> [UInt8] {
      let length = Int(integer(8))
      defer { position += length }
      return Array(bytes[position..<position + length])
    }
    func skip(_ type: UInt32) {
      switch type {
      case 0, 1, 7: position += 1
      case 2, 3: position += 2
      case 4, 5, 6: position += 4
      case 8: _ = string()
      case 9:
        let element = UInt32(integer(4)), count = integer(8)
        for _ in 0..<count { skip(element) }
      default: position += 8
      }
    }
    let tensorCount = integer(8), metadataCount = integer(8)
    for _ in 0..<metadataCount {
      let key = string(), type = UInt32(integer(4)), start = position
      skip(type)
      metadata.append(Entry(key: key, type: type, value: Array(bytes[start..<position])))
    }
    for _ in 0..<tensorCount {
      let name = string(), rank = integer(4)
      let extents = (0..<rank).map { _ in integer(8) }
      tensors.append(TensorEntry(name: name, extents: extents, type: UInt32(integer(4)), offset: integer(8)))
    }
    headerCount = (position + 31) / 32 * 32
    data = Array(bytes[headerCount...])
  }

  package static func littleEndian(_ value: UInt64, _ size: Int = 8) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }

  package static func string(_ text: [UInt8]) -> [UInt8] { littleEndian(UInt64(text.count)) + text }

  /// The whole file, its data aligned to 32 bytes.
  package func serialized() -> [UInt8] {
    var result = Array("GGUF".utf8) + Self.littleEndian(3, 4)
    result += Self.littleEndian(UInt64(tensors.count)) + Self.littleEndian(UInt64(metadata.count))
    for entry in metadata { result += Self.string(entry.key) + Self.littleEndian(UInt64(entry.type), 4) + entry.value }
    for tensor in tensors {
      result += Self.string(tensor.name) + Self.littleEndian(UInt64(tensor.extents.count), 4)
      for extent in tensor.extents { result += Self.littleEndian(extent) }
      result += Self.littleEndian(UInt64(tensor.type), 4) + Self.littleEndian(tensor.offset)
    }
    return result + [UInt8](repeating: 0, count: (32 - result.count % 32) % 32) + data
  }

  /// The place of a key that ends in `suffix`.
  package func index(_ suffix: String) -> Int? { metadata.firstIndex { $0.key.reversed().starts(with: suffix.utf8.reversed()) } }

  /// Sets a metadata value, which is added when there is no such key. `key` may leave out the architecture.
  package mutating func set(_ key: String, _ type: UInt32, _ value: [UInt8]) {
    let entry = Entry(key: Array(key.utf8), type: type, value: value)
    if let index = index(key) {
      metadata[index].type = type
      metadata[index].value = value
    } else {
      metadata.append(entry)
    }
  }

  package mutating func set(_ key: String, _ value: Int) { set(key, 11, Self.littleEndian(UInt64(bitPattern: Int64(value)))) }
  package mutating func set(_ key: String, _ value: Double) { set(key, 12, Self.littleEndian(value.bitPattern)) }
  package mutating func set(_ key: String, _ value: String) { set(key, 8, Self.string(Array(value.utf8))) }
  package mutating func set(_ key: String, strings: [String]) {
    set(
      key, 9,
      Self.littleEndian(8, 4) + Self.littleEndian(UInt64(strings.count)) + strings.flatMap { Self.string(Array($0.utf8)) })
  }
  package mutating func set(_ key: String, integers: [Int]) {
    let values = integers.flatMap { Self.littleEndian(UInt64(bitPattern: Int64($0))) }
    set(key, 9, Self.littleEndian(11, 4) + Self.littleEndian(UInt64(integers.count)) + values)
  }

  /// Changes the tensor of a name.
  package mutating func change(_ name: String, _ body: (inout TensorEntry) -> Void) {
    for index in tensors.indices where tensors[index].name == Array(name.utf8) { body(&tensors[index]) }
  }
}

extension Mutator {
  private static let readTypes: [UInt32] = [0, 1, 2, 3, 6, 8, 12, 14, 30]

  /// One to three changes to fields of a GGUF file.
  package mutating func fields(of source: GGUFDocument) -> GGUFDocument {
    var result = source
    for _ in 0...generator.index(3) {
      if generator.chance(2) { changeMetadata(&result) } else { changeTensors(&result) }
    }
    return result
  }

  private mutating func changeMetadata(_ document: inout GGUFDocument) {
    let place = generator.index(document.metadata.count)
    guard document.metadata.indices.contains(place) else { return }
    switch generator.index(12) {
    case 0: document.metadata.remove(at: place)
    case 1: document.metadata.append(document.metadata[place])
    case 2: document.metadata[place].value = bytes(document.metadata[place].value, below: .max)
    case 3: document.metadata[place].type = UInt32(generator.index(14))
    case 4:
      document.metadata[place].type = 9
      let element = UInt64(generator.index(13)), count = generator.pick([0, 1, 2, 1 << 20, .max] as [UInt64])
      document.metadata[place].value =
        GGUFDocument.littleEndian(element, 4) + GGUFDocument.littleEndian(count) + GGUFDocument.littleEndian(1)
    case 5:
      document.set("general.alignment", generator.pick([1, 2, 4, 8, 64, 4096, 0, 3, Int.max, -1]))
    default:
      // Numbers become other numbers: mostly small ones, which pass for real.
      let type = document.metadata[place].type
      if type == 6 || type == 12 {
        let value = generator.pick([0, -1, 0.5, 1e-30, 1e30, .nan, .infinity, -.infinity, 1, 40] as [Double])
        document.metadata[place].type = 12
        document.metadata[place].value = GGUFDocument.littleEndian(value.bitPattern)
      } else if type != 8, type != 9 {
        let value = generator.chance(2) ? UInt64(generator.index(130)) : generator.pick(Self.extremes)
        document.metadata[place].type = 11
        document.metadata[place].value = GGUFDocument.littleEndian(value)
      } else if type == 9, document.metadata[place].value.count > 12 {
        document.metadata[place].value = bytes(document.metadata[place].value, below: .max)
      }
    }
  }

  private mutating func changeTensors(_ document: inout GGUFDocument) {
    let place = generator.index(document.tensors.count), other = generator.index(document.tensors.count)
    guard document.tensors.indices.contains(place) else { return }
    switch generator.index(10) {
    case 0: document.tensors.remove(at: place)
    case 1: document.tensors.append(document.tensors[place])
    case 2: document.tensors[place].name = document.tensors[other].name
    case 3, 4: document.tensors[place].type = generator.chance(4) ? UInt32(generator.index(45)) : generator.pick(Self.readTypes)
    case 5: document.tensors[place].offset = generator.chance(2) ? document.tensors[other].offset : generator.pick(Self.extremes)
    case 6: document.tensors[place].extents = document.tensors[other].extents
    case 7:
      let extent = generator.index(document.tensors[place].extents.count)
      let value = generator.chance(2) ? UInt64(generator.index(130)) : generator.pick(Self.extremes)
      if document.tensors[place].extents.indices.contains(extent) { document.tensors[place].extents[extent] = value }
    case 8: document.tensors[place].extents.append(generator.pick([1, 1, 1, 2, 0]))
    default: document.tensors[place].extents = Array(document.tensors[place].extents.dropLast())
    }
  }
}

internal import CSwiftletKernels

/// How an optimizer keeps its moments.
public enum MomentFormat: String, Sendable, CaseIterable {
  case float32
  /// As DeepSeek-V3 kept them (report, section 3.3.3).
  case bfloat16
  /// In blocks of 256 with a scale (Dettmers et al. 2022). Parameters of fewer than 4096 values keep F32, as in bitsandbytes.
  case int8
}

/// A running mean that an optimizer keeps of every value of a parameter. It is computed with in F32 and rounded, to the nearest, when it
/// is put back. Zeros at first.
public struct MomentTensor: Sendable {
  private static let smallestInt8 = 4096
  public let shape: Shape
  public let format: MomentFormat
  private let table: BlockwiseInt8
  /// Row-major: F32, BF16, or codes.
  private let values: Storage
  /// Of blocks of codes, F32.
  private let scales: Storage?

  /// - Parameter isSigned: whether it can be negative; int8 has finer codes for what cannot.
  public init(_ shape: Shape, format: MomentFormat, isSigned: Bool) {
    self.shape = shape
    self.format = Self.kept(format, count: shape.count)
    table = isSigned ? .signed : .unsigned
    let bytes = Self.bytes(of: shape.count, format: self.format)
    values = Storage(byteCount: bytes.values)
    scales = bytes.scales > 0 ? Storage(byteCount: bytes.scales) : nil
  }

  /// Bytes of a moment of so many values.
  public static func byteCount(of count: Int, format: MomentFormat) -> Int {
    let bytes = Self.bytes(of: count, format: kept(format, count: count))
    return bytes.values + bytes.scales
  }

  /// Small parameters have no int8.
  private static func kept(_ format: MomentFormat, count: Int) -> MomentFormat {
    format == .int8 && count < smallestInt8 ? .float32 : format
  }

  private static func bytes(of count: Int, format: MomentFormat) -> (values: Int, scales: Int) {
    switch format {
    case .float32: (4 * count, 0)
    case .bfloat16: (2 * count, 0)
    case .int8: (count, 4 * ((count + BlockwiseInt8.blockLength - 1) / BlockwiseInt8.blockLength))
    }
  }

  /// What it is stored as, for files: a suffix of its name, shape, type (nil for codes), and the memory, which may be written to.
  public struct Part {
    public let suffix: String
    public let shape: [Int]
    public let type: ElementType?
    public let bytes: UnsafeMutableRawBufferPointer
  }

  public var parts: [Part] {
    func part(_ suffix: String, _ storage: Storage, _ shape: [Int], _ type: ElementType?) -> Part {
      Part(
        suffix: suffix, shape: shape, type: type,
        bytes: UnsafeMutableRawBufferPointer(start: storage.address, count: storage.byteCount))
    }
    switch format {
    case .float32: return [part("", values, shape.array, .float32)]
    case .bfloat16: return [part("", values, shape.array, .bfloat16)]
    case .int8:
      let codes = part("", values, shape.array, nil)
      return [codes] + (scales.map { [part(".scales", $0, [$0.byteCount / 4], .float32)] } ?? [])
    }
  }

  public var byteCount: Int { values.byteCount + (scales?.byteCount ?? 0) }

  /// The values themselves, where they are kept in F32.
  public var floats: UnsafeMutablePointer<Float>? {
    format == .float32 ? values.address.assumingMemoryBound(to: Float.self) : nil
  }

  /// How many values to load and store at a time: they stay in the cache, and blocks are whole.
  public static let chunk = 2048

  /// Loads values as F32.
  /// - Parameter range: begins at a multiple of `chunk`.
  public func load(_ range: Range<Int>, into target: UnsafeMutablePointer<Float>, kernels: Kernels) {
    switch format {
    case .float32, .bfloat16:
      let type = format == .float32 ? ElementType.float32 : .bfloat16
      kernels.table.pointee.expand(type.rawValue, values.address + range.lowerBound * type.blockBytes, range.count, target)
    case .int8:
      forBlocks(range) { codes, scale, start, count in
        table.decode(codes, count: count, scale: scale.pointee, to: target + start - range.lowerBound)
      }
    }
  }

  /// Stores values, rounded.
  /// - Parameter range: begins at a multiple of `chunk`, and ends at one or at the end of all.
  public func store(_ source: UnsafePointer<Float>, _ range: Range<Int>, kernels: Kernels) {
    switch format {
    case .float32:
      values.address.assumingMemoryBound(to: Float.self).advanced(by: range.lowerBound).update(from: source, count: range.count)
    case .bfloat16:
      kernels.table.pointee.store_bf16(
        source, range.count, values.address.assumingMemoryBound(to: UInt16.self) + range.lowerBound)
    case .int8:
      forBlocks(range) { codes, scale, start, count in
        scale.pointee = table.encode(source + start - range.lowerBound, count: count, to: codes)
      }
    }
  }

  private func forBlocks(
    _ range: Range<Int>, _ body: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Float>, _ start: Int, _ count: Int) -> Void
  ) {
    guard let scales else { return }
    let length = BlockwiseInt8.blockLength, codes = values.address.assumingMemoryBound(to: UInt8.self)
    precondition(range.lowerBound % length == 0, "blocks are whole")
    for start in stride(from: range.lowerBound, to: range.upperBound, by: length) {
      let scale = scales.address.assumingMemoryBound(to: Float.self) + start / length
      body(codes + start, scale, start, min(length, range.upperBound - start))
    }
  }
}

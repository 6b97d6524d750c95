internal import CSwiftletKernels

// swift-format-ignore: AlwaysUseLowerCamelCase
/// How a tensor's values are stored. Raw values are GGUF's numbers, but for `float8E4M3`, which GGUF lacks; cases are spelled as
/// GGUF's tools spell the types.
public enum ElementType: Int32, Sendable, CaseIterable {
  case float32 = 0
  case float16 = 1
  case bfloat16 = 30
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  case iq4_NL = 20
  case iq4_XS = 23
  /// Of safetensors: each value is multiplied with the scale of its 128 x 128 block, see `BlockScales`.
  case float8E4M3 = 1000

  /// The types that GGUF files have.
  public static let ggufTypes = allCases.filter { $0 != .float8E4M3 }

  /// Values in one block; 1 for the types without blocks. A row's length is a multiple of it.
  public var blockLength: Int { swiftlet_block_length(rawValue) }

  /// Bytes of one block.
  public var blockBytes: Int { swiftlet_block_bytes(rawValue) }

  /// Whether values come in blocks that share a scale.
  public var isQuantized: Bool { blockLength > 1 }

  /// Whether products with such weights take their inputs in F32; all others round them.
  public var keepsInputs: Bool { self == .float32 || self == .float16 }

  /// Bytes of `count` consecutive values; nil when count is no multiple of the block or the size overflows.
  public func byteCount(of count: Int) -> Int? {
    guard count >= 0, count % blockLength == 0 else { return nil }
    let (bytes, overflow) = (count / blockLength).multipliedReportingOverflow(by: blockBytes)
    return overflow ? nil : bytes
  }

  /// The name as GGUF tools and papers write it.
  public var name: String {
    switch self {
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .q4_0: "Q4_0"
    case .q4_1: "Q4_1"
    case .q5_0: "Q5_0"
    case .q5_1: "Q5_1"
    case .q8_0: "Q8_0"
    case .q2_K: "Q2_K"
    case .q3_K: "Q3_K"
    case .q4_K: "Q4_K"
    case .q5_K: "Q5_K"
    case .q6_K: "Q6_K"
    case .iq4_NL: "IQ4_NL"
    case .iq4_XS: "IQ4_XS"
    case .float8E4M3: "F8_E4M3"
    }
  }
}

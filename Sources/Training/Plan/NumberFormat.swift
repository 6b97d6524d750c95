/// How a value is stored.
public enum NumberFormat: String, Sendable, CaseIterable {
  case f32
  case bf16
  /// E4M3 with one F32 scale for 128 x 128 values (DeepSeek-V3 report, section 3.3.2).
  case fp8
  // As llama.cpp names them.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q8_0
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q4_k_m
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q4_0

  /// Scales among them. Q4_K_M mixes types; its figure is llama.cpp's for an 8B model.
  public var bytesPerValue: Double {
    switch self {
    case .f32: 4
    case .bf16: 2
    case .fp8: 1 + 4.0 / (128 * 128)
    case .q8_0: 34.0 / 32
    case .q4_k_m: 4.89 / 8
    case .q4_0: 18.0 / 32
    }
  }
}

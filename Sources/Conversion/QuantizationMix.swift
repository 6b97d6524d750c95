internal import SwiftletModels
internal import SwiftletTensors

// swift-format-ignore: AlwaysUseLowerCamelCase
/// What a GGUF file's weights are stored as. Cases are spelled as llama.cpp's tools spell the types.
public enum GGUFType: String, Sendable, CaseIterable {
  case f32
  case f16
  case bf16
  case q8_0
  case q4_0
  /// Most weights in Q4_K, the more sensitive ones in Q6_K.
  case q4_k_m

  var elementType: ElementType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .q8_0: .q8_0
    case .q4_0: .q4_0
    case .q4_k_m: .q4_K
    }
  }

  /// `general.file_type`, llama.cpp's number of it.
  var fileType: Int {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q4_0: 2
    case .q8_0: 7
    case .q4_k_m: 15
    case .bf16: 32
    }
  }
}

/// Chooses the type of every tensor of a GGUF file as llama-quantize does (llama.cpp, src/llama-quant.cpp), so that files of one name
/// are alike: norms, vectors and routers stay as they are; the head, or an embedding in its place, gets more bits; so do, for Q4_K_M,
/// the values and down-projections of some layers.
struct QuantizationMix {
  let type: GGUFType
  /// Layers, with those that predict further tokens.
  let layerCount: Int
  let expertCount: Int
  /// Whether it is a model that llama.cpp counts as one of 70 billion parameters, whose values get more bits.
  let sharesValuesWidely: Bool

  init(_ type: GGUFType, _ configuration: ModelConfiguration, layerCount: Int) {
    self.type = type
    self.layerCount = layerCount
    expertCount = configuration.mixture?.expertCount ?? 0
    let isGrouped =
      if case .groupedQuery(let keyValueHeads, _) = configuration.attention {
        configuration.architecture == .qwen2 || keyValueHeads != configuration.headCount
      } else {
        false
      }
    sharesValuesWidely = isGrouped && configuration.layerCount == 80
  }

  /// The types in the tensors' order; nil for those that keep theirs.
  func types(of tensors: [(name: String, shape: [Int])]) -> [ElementType?] {
    let hasHead = tensors.contains { $0.name == "output.weight" }
    let values = tensors.filter { Self.isValue($0.name) }.map(\.name).sorted(by: Self.isEarlier)
    let downs = tensors.filter { $0.name.contains("ffn_down") && Self.isQuantized($0) }.map(\.name).sorted(by: Self.isEarlier)
    // Names that differ in bytes may be the same text: letters with accents have two spellings.
    let valuePlace = Dictionary(zip(values, values.indices)) { first, _ in first }
    let downPlace = Dictionary(zip(downs, downs.indices)) { first, _ in first }
    return tensors.map { tensor in
      guard Self.isQuantized(tensor) else { return nil }
      guard type.elementType.isQuantized else { return type.elementType }
      let columns = tensor.shape[tensor.shape.count - 1]
      let wanted = quantized(
        tensor.name, columns: columns, hasHead: hasHead, value: valuePlace[tensor.name].map { ($0, values.count) },
        down: downPlace[tensor.name])
      return Self.fitting(wanted, columns: columns)
    }
  }

  private func quantized(
    _ name: String, columns: Int, hasHead: Bool, value: (index: Int, count: Int)?, down: Int?
  ) -> ElementType {
    let usual = type.elementType
    if name == "output.weight" || (name == "token_embd.weight" && !hasHead) {
      return usual == .q8_0 || columns % usual.blockLength != 0 ? .q8_0 : .q6_K
    }
    if let value {
      if expertCount == 8 { return .q8_0 }
      guard type == .q4_k_m else { return usual }
      if Self.usesMoreBits(value.index, of: value.count) { return .q6_K }
      return sharesValuesWidely ? .q5_K : usual
    }
    if name.contains("attn_k.weight"), expertCount == 8 { return .q8_0 }
    if let down, type == .q4_k_m {
      let layer = expertCount > 1 ? Self.layer(name) : down
      return Self.usesMoreBits(layer, of: layerCount) ? .q6_K : usual
    }
    if name.contains("attn_output.weight"), expertCount == 8, type == .q4_k_m { return .q5_K }
    return usual
  }

  /// The first and last eighth of the layers, and every third between.
  private static func usesMoreBits(_ layer: Int, of count: Int) -> Bool {
    layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
  }

  /// The type, or one with smaller blocks where rows are no whole blocks of it.
  private static func fitting(_ type: ElementType, columns: Int) -> ElementType {
    guard columns % type.blockLength != 0 else { return type }
    let smaller: ElementType =
      switch type {
      case .q4_K: .q5_0
      case .q5_K: .q5_1
      case .q6_K: .q8_0
      default: type
      }
    return columns % smaller.blockLength == 0 ? smaller : .float16
  }

  /// Matrices but routers; the names of norms say so too.
  private static func isQuantized(_ tensor: (name: String, shape: [Int])) -> Bool {
    tensor.shape.dropLast().contains { $0 > 1 } && tensor.name.hasSuffix("weight") && !tensor.name.contains("_norm.weight")
      && !tensor.name.contains("ffn_gate_inp.weight")
  }

  private static func isValue(_ name: String) -> Bool {
    name.contains("attn_v.weight") || name.contains("attn_kv_b.weight") || name.contains("attn_qkv.weight")
  }

  private static func layer(_ name: String) -> Int {
    guard name.hasPrefix("blk.") else { return -1 }
    return Int(name.dropFirst(4).prefix { $0.isASCII && $0.isNumber }) ?? -1
  }

  /// By layer, then by name.
  private static func isEarlier(_ left: String, _ right: String) -> Bool {
    let first = layer(left), second = layer(right)
    return first == second ? left.utf8.lexicographicallyPrecedes(right.utf8) : first < second
  }
}

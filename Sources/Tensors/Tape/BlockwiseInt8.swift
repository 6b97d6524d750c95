/// Values as codes of eight bits, in blocks that share a scale, their largest magnitude. Codes stand for numbers from 0, or -1, to 1 that
/// are close together near 0: a sign, an exponent of ten in unary, and what bits are left for the fraction ("dynamic tree").
/// Source: Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization"; blocks and codes are those of bitsandbytes' optimizers.
struct BlockwiseInt8 {
  static let blockLength = 256
  static let signed = BlockwiseInt8(isSigned: true)
  static let unsigned = BlockwiseInt8(isSigned: false)

  /// What the 256 codes stand for, ascending.
  let values: [Float]
  private let zero: UInt8
  /// By the upper half of a float's bits the last code that is not above any number with them, for numbers from -1 to 1: few codes are
  /// left to look at.
  private let starts: [UInt8]

  private init(isSigned: Bool) {
    var values: [Float] = [0, 1]
    for (exponent, scale) in [Float(1e-6), 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].enumerated() {
      // The middles of `count` equal parts of 0.1...1, rounded as torch rounds them.
      let count = 1 << (isSigned ? exponent : exponent + 1), step = (1 - Float(0.1)) / Float(count)
      let boundaries = (0...count).map {
        $0 < (count + 1) / 2 ? Float(0.1).addingProduct(step, Float($0)) : Float(1).addingProduct(-step, Float(count - $0))
      }
      for (low, high) in zip(boundaries, boundaries.dropFirst()) {
        let value = scale * ((low + high) / 2)
        values.append(value)
        if isSigned { values.append(-value) }
      }
    }
    let sorted = values.sorted()
    self.values = sorted
    zero = UInt8(sorted.firstIndex(of: 0) ?? 0)
    starts = (0..<1 << 16).map { upper in
      let lowest = Float(bitPattern: UInt32(upper) << 16 | (upper < 1 << 15 ? 0 : 0xFFFF))
      // The first code above it, by halves.
      var above = 0, end = sorted.count
      while above < end {
        let middle = (above + end) / 2
        if sorted[middle] <= lowest { above = middle + 1 } else { end = middle }
      }
      return UInt8(max(0, above - 1))
    }
  }

  /// Encodes a block of at most 256 values: each becomes the nearest code, the lower one of two as near.
  /// - Returns: the scale.
  func encode(_ source: UnsafePointer<Float>, count: Int, to codes: UnsafeMutablePointer<UInt8>) -> Float {
    var scale: Float = 0
    // A value that overflowed must not take its block along.
    for index in 0..<count { scale = max(scale, min(abs(source[index]), .greatestFiniteMagnitude)) }
    guard scale > 0 else {
      codes.update(repeating: zero, count: count)
      return 0
    }
    values.withUnsafeBufferPointer { values in
      guard let table = values.baseAddress else { return }
      for index in 0..<count {
        let value = min(max(source[index] / scale, -1), 1)
        // The last code that is not above the value.
        var code = Int(starts[Int(value.bitPattern >> 16)])
        while code < 255, table[code &+ 1] <= value { code &+= 1 }
        if code < 255, table[code &+ 1] - value < value - table[code] { code &+= 1 }
        codes[index] = UInt8(truncatingIfNeeded: code)
      }
    }
    return scale
  }

  func decode(_ codes: UnsafePointer<UInt8>, count: Int, scale: Float, to target: UnsafeMutablePointer<Float>) {
    values.withUnsafeBufferPointer { values in
      for index in 0..<count { target[index] = values[Int(codes[index])] * scale }
    }
  }
}

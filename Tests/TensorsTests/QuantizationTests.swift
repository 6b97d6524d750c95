import Foundation
import Testing

@testable import SwiftletTensors

/// F32 to stored types, by every variant this CPU can run, against what llama-quantize and the `gguf` package make of the same values.
@Suite struct QuantizationTests {
  static let writable = ElementType.allCases.filter(\.isWritable)
  static let blockTypes = writable.filter(\.isQuantized)

  /// The bytes and whether every value could be stored; nothing may be written beyond them.
  static func quantize(_ values: [Float], _ type: ElementType, _ kernels: Kernels = .best) -> (bytes: [UInt8], isComplete: Bool) {
    let byteCount = type.byteCount(of: values.count) ?? 0
    var bytes = [UInt8](repeating: 0xA5, count: byteCount + 64)
    let isComplete = bytes.withUnsafeMutableBytes { bytes in
      values.withUnsafeBufferPointer { values in
        guard let source = values.baseAddress, let base = bytes.baseAddress else { return true }
        // At an odd address.
        return kernels.quantize(source, count: values.count, to: type, into: base + 1)
      }
    }
    let isUntouched = bytes[0] == 0xA5 && bytes[(byteCount + 1)...].allSatisfy { $0 == 0xA5 }
    #expect(isUntouched, "\(type.name) wrote outside")
    return (Array(bytes[1...byteCount]), isComplete)
  }

  static func decode(_ bytes: [UInt8], _ type: ElementType, count: Int) -> [Float] {
    let storage = Storage(byteCount: bytes.count)
    storage.address.copyMemory(from: bytes, byteCount: bytes.count)
    return Tensor(storage: storage, byteOffset: 0, shape: Shape([count]), type: type).floatArray()
  }

  static func rootMeanSquaredError(_ values: [Float], _ type: ElementType, _ kernels: Kernels) -> Double {
    let decoded = decode(quantize(values, type, kernels).bytes, type, count: values.count)
    let sum = zip(values, decoded).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return (sum / Double(values.count)).squareRoot()
  }

  struct Fixture: Decodable {
    var name: String
    var shape: [Int]
    var errors: [String: Double]

    static func load() throws -> [(Fixture, values: [Float], q8_0: [UInt8])] {
      let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
      let values = try Data(contentsOf: folder.appending(path: "quantization.f32"))
      let bytes = try [UInt8](Data(contentsOf: folder.appending(path: "quantization.q8_0")))
      let fixtures = try JSONDecoder().decode(
        [Fixture].self, from: Data(contentsOf: folder.appending(path: "quantization.json")))
      var start = 0
      return fixtures.map { fixture in
        let range = start..<start + fixture.shape.reduce(1, *)
        start = range.upperBound
        let floats = values.withUnsafeBytes { data in
          range.map { Float(bitPattern: data.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
        return (fixture, floats, Array(bytes[range.lowerBound / 32 * 34..<range.upperBound / 32 * 34]))
      }
    }
  }

  /// No more is lost than llama-quantize loses (without importances), of any of the tensors.
  @Test func errorsAreAtMostThoseOfLlamaQuantize() throws {
    let fixtures = try Fixture.load()
    #expect(fixtures.count == 16)
    for (fixture, values, _) in fixtures {
      for type in Self.blockTypes {
        let reference = try #require(fixture.errors[type.name])
        let error = Self.rootMeanSquaredError(values, type, .best)
        #expect(error <= reference * (1 + 1e-6), "\(fixture.name) as \(type.name)")
      }
    }
  }

  @Test func q8_0HasTheBytesOfTheReference() throws {
    // Below a scale of 2^-128, which F16 does not hold anyway, the reference divides by zero.
    for (fixture, values, expected) in try Fixture.load() where fixture.name != "subnormal in F32" {
      #expect(Self.quantize(values, .q8_0).bytes == expected, "\(fixture.name)")
    }
  }

  @Test(arguments: writable) func variantsWriteTheSameBytes(_ type: ElementType) throws {
    let generic = try #require(Kernels.available.last)
    var samples = Samples(seed: 31)
    var inputs = try Fixture.load().map(\.values)
    inputs.append(samples.floats(8192))
    for values in inputs {
      let expected = Self.quantize(values, type, generic)
      for kernels in Kernels.available {
        let found = Self.quantize(values, type, kernels)
        #expect(found.bytes == expected.bytes && found.isComplete == expected.isComplete, "\(kernels.name) \(type.name)")
      }
    }
  }

  /// A block's bytes depend on its own values only.
  @Test(arguments: writable) func blocksAreIndependent(_ type: ElementType) {
    var samples = Samples(seed: 32)
    let length = type.blockLength
    let values = samples.floats(11 * length)
    let together = Self.quantize(values, type).bytes
    let apart = (0..<11).flatMap { Self.quantize(Array(values[$0 * length..<($0 + 1) * length]), type).bytes }
    #expect(together == apart)
  }

  /// Values that came from a type are stored as it again without loss, where one block has one scale.
  @Test(arguments: [ElementType.float32, .float16, .bfloat16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0])
  func storedValuesStay(_ type: ElementType) {
    var samples = Samples(seed: 33)
    for scale: Float in [1, 3e-3, 250] {
      let values = samples.floats(4096).map { $0 * scale }
      let once = Self.decode(Self.quantize(values, type).bytes, type, count: 4096)
      let twice = Self.decode(Self.quantize(once, type).bytes, type, count: 4096)
      #expect(once == twice)
    }
  }

  @Test func float16RoundsAsTheCPUDoes() {
    // Every F16 number, the middle between it and the next, and what lies beside the middle.
    var values: [Float] = []
    for bits in UInt16(0)..<0x7C00 {
      let value = Float(Float16(bitPattern: bits)), next = bits == 0x7BFF ? 65536 : Float(Float16(bitPattern: bits + 1))
      let middle = value + (next - value) / 2
      values += [value, middle, middle.nextUp, middle.nextDown, -value, -middle, -middle.nextUp, -middle.nextDown]
    }
    values += [.infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 65519.996, 1e-40]
    for kernels in Kernels.available {
      let (bytes, isComplete) = Self.quantize(values, .float16, kernels)
      let found = bytes.withUnsafeBytes { bytes in
        values.indices.map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
      }
      let expected = values.map { Float16($0).bitPattern }
      #expect(found == expected, "\(kernels.name)")
      #expect(!isComplete)
    }
  }

  @Test func bfloat16RoundsAsActivationsDo() {
    var samples = Samples(seed: 34)
    let values = (0..<10_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: samples.bits())) }
    let rounded = Tensor(values, shape: Shape([values.count])).asBFloat16().floatArray()
    let stored = Self.decode(Self.quantize(values, .bfloat16).bytes, .bfloat16, count: values.count)
    #expect(stored.map(\.bitPattern) == rounded.map(\.bitPattern))
  }

  /// Infinities, NaN and values beyond a type's range are told; block types then hold zeros.
  @Test(arguments: writable) func whatCannotBeStoredIsTold(_ type: ElementType) {
    var samples = Samples(seed: 35)
    let values = samples.floats(512)
    for kernels in Kernels.available {
      #expect(Self.quantize(values, type, kernels).isComplete)
      for wrong in [Float.nan, -.nan, .signalingNaN, .infinity, -.infinity, .greatestFiniteMagnitude] {
        if wrong.isFinite && (type == .float32) { continue }
        for position in [0, 300, 511] {
          var broken = values
          broken[position] = wrong
          let (bytes, isComplete) = Self.quantize(broken, type, kernels)
          #expect(!isComplete, "\(wrong) as \(type.name)")
          let decoded = Self.decode(bytes, type, count: 512)
          if type.isQuantized {
            #expect(decoded == [Float](repeating: 0, count: 512))
          } else {
            #expect(wrong.isNaN ? decoded[position].isNaN : decoded[position] == (wrong > 0 ? .infinity : -.infinity))
          }
        }
      }
    }
  }

  /// Any finite values: what is stored is finite, and not far off where the type's F16 scales reach.
  @Test(arguments: blockTypes) func anyFiniteValuesAreStored(_ type: ElementType) {
    var samples = Samples(seed: 36)
    for exponent in -140...23 {
      let values = samples.floats(512).map { $0 * Float(sign: .plus, exponent: exponent, significand: 1) }
      let (bytes, isComplete) = Self.quantize(values, type)
      let decoded = Self.decode(bytes, type, count: 512)
      let isFinite = decoded.allSatisfy(\.isFinite)
      #expect(isFinite, "2^\(exponent)")
      #expect(isComplete || exponent >= 16, "2^\(exponent)")
      guard isComplete, exponent >= -8, exponent <= 14 else { continue }
      let worst =
        zip(values, decoded).reduce(0) { max($0, abs($1.0 - $1.1)) } / Float(sign: .plus, exponent: exponent, significand: 1)
      #expect(worst < 0.2, "2^\(exponent)")
    }
  }
}

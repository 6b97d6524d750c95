import SwiftletTraining
import Testing

@testable import SwiftletTensors

/// Optimizer state in fewer bits against make_precision_fixtures.py.
@Suite struct MomentTests {
  @Test(arguments: [true, false]) func codesEqualTorch(isSigned: Bool) throws {
    let fixture = try PrecisionFixture("moments"), name = isSigned ? "signed" : "unsigned"
    let table: BlockwiseInt8 = isSigned ? .signed : .unsigned
    #expect(table.values == (try fixture.values("table.\(name)")))
    let values = PrecisionFixture.made(5000, 4).map { isSigned ? $0 : abs($0) }
    let expected = try #require(try fixture.file.integers(named: "codes.\(name)"))
    let scales = try fixture.values("codes.\(name).scales")
    var found: [Int] = [], decoded: [Float] = []
    values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      for (block, start) in stride(from: 0, to: values.count, by: 256).enumerated() {
        let count = min(256, values.count - start)
        var codes = [UInt8](repeating: 0, count: count), numbers = [Float](repeating: 0, count: count)
        let scale = table.encode(base + start, count: count, to: &codes)
        #expect(scale == scales[block])
        table.decode(codes, count: count, scale: scale, to: &numbers)
        found += codes.map(Int.init)
        decoded += numbers
      }
    }
    #expect(found == expected)
    for (index, number) in decoded.enumerated() { #expect(number == table.values[expected[index]] * scales[index / 256]) }
  }

  @Test(arguments: [MomentFormat.bfloat16, .int8]) func stepsEqualTorch(_ format: MomentFormat) throws {
    let fixture = try PrecisionFixture("moments"), shape: Shape = [70, 60], compute = Compute(threadCount: 2)
    func parameter() -> Parameter {
      Parameter(name: "model.layers.0.mlp.up_proj.weight", value: Tensor(PrecisionFixture.made(shape.count, 5), shape: shape))
    }
    let first = parameter(), second = parameter()
    let adamW = AdamW([first], state: format), muon = Muon([second], state: format, compute: compute)
    for step in 0..<6 {
      for parameter in [first, second] {
        parameter.gradient.floats.update(from: PrecisionFixture.made(shape.count, 20 + step), count: shape.count)
      }
      adamW.step(rate: 0.01, compute: compute)
      muon.step(rate: 0.01, compute: compute)
    }
    for (parameter, name) in [(first, "adamw"), (second, "muon")] {
      let expected = try fixture.values("\(name).\(format.rawValue)")
      let differences = zip(parameter.value.floatArray(), expected).map { abs($0 - $1) }
      // A moment at the border between two numbers may be rounded to either side: with fused multiplications 37 are in BF16, without none.
      #expect(differences.max() ?? .infinity < 1e-3, "\(name) with \(format)")
      #expect(differences.count { $0 > 2e-5 } <= 50, "\(name) with \(format)")
    }
  }

  @Test func bytesAreFewer() {
    func bytes(_ format: MomentFormat, _ shape: Shape) -> Int { MomentTensor(shape, format: format, isSigned: true).byteCount }
    #expect(MomentFormat.allCases.map { bytes($0, [64, 128]) } == [4 * 8192, 2 * 8192, 8192 + 4 * 32])
    // Of small ones nothing is gained.
    #expect(bytes(.int8, [128]) == 4 * 128)
    for format in MomentFormat.allCases {
      for count in [128, 4095, 4096, 8192, 8193] {
        #expect(MomentTensor.byteCount(of: count, format: format) == bytes(format, [count]))
      }
    }
  }

  @Test(arguments: MomentFormat.allCases) func valuesComeBack(_ format: MomentFormat) {
    let moment = MomentTensor([5000], format: format, isSigned: true), kernels = Kernels.best
    let source = PrecisionFixture.made(5000, 9)
    var found = [Float](repeating: 0, count: 5000)
    for start in stride(from: 0, to: 5000, by: MomentTensor.chunk) {
      let range = start..<min(5000, start + MomentTensor.chunk)
      source.withUnsafeBufferPointer { if let base = $0.baseAddress { moment.store(base + start, range, kernels: kernels) } }
      found.withUnsafeMutableBufferPointer {
        if let base = $0.baseAddress { moment.load(range, into: base + start, kernels: kernels) }
      }
    }
    // Half the distance of the largest codes, or of BF16.
    let largest = source.map(abs).max() ?? 0
    for (value, other) in zip(source, found) {
      switch format {
      case .float32: #expect(value == other)
      case .bfloat16: #expect(abs(value - other) <= 0x1p-8 * abs(value))
      case .int8: #expect(abs(value - other) <= 0.0071 * largest)
      }
    }
  }
}

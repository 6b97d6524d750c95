import Foundation
import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTraining
import Testing

@testable import SwiftletTensors

/// What make_precision_fixtures.py computed.
struct PrecisionFixture {
  static let folder = Fixture.folder.appendingPathComponent("Fixtures")
  let tensors: [String: Tensor]
  let file: SafetensorsFile

  init(_ name: String) throws {
    file = try SafetensorsFile(path: Self.folder.appendingPathComponent("\(name).safetensors").path)
    tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.tensor) })
  }

  func values(_ name: String) throws -> [Float] { try #require(tensors[name], "\(name)").floatArray() }

  /// The script's numbers of several magnitudes.
  static func made(_ count: Int, _ seed: Int) -> [Float] {
    (0..<count).map { i in
      let numerator = (i * 7919 + seed * 104_729 + i * i % 977) % 2003 - 1001
      return Float(Double(numerator) / 1024 * pow(2, -Double((i * 31 + seed) % 11)))
    }
  }

  /// E4M3 values times their scales.
  func rounded(_ name: String, rowsOfScale: Int) throws -> [Float] {
    let tensor = try #require(tensors[name]), scales = try #require(tensors["\(name).scales"]), columns = tensor.shape.columns
    let values = tensor.floatArray(), factors = scales.floatArray()
    return values.indices.map { index in
      let row = index / columns / rowsOfScale, column = index % columns / 128
      return values[index] * factors[row * scales.shape.columns + column]
    }
  }
}

/// Products of FP8 against torch's E4M3 and a linear layer of it.
@Suite struct Float8Tests {
  private static let rows = 130, inputs = 140, outputs = 132

  private func weight() -> Parameter {
    Parameter(
      name: "weight", value: Tensor(PrecisionFixture.made(Self.outputs * Self.inputs, 2), shape: [Self.outputs, Self.inputs]))
  }

  /// Bit for bit, but for the sign of zeros.
  @Test(arguments: Kernels.available.map(\.name)) func operandsEqualTorch(_ variant: String) throws {
    let fixture = try PrecisionFixture("float8-linear"), kernels = try #require(Kernels.available.first { $0.name == variant })
    let products = Products(table: kernels.table, precision: .float8), x = PrecisionFixture.made(Self.rows * Self.inputs, 1)
    let prepared = Storage(byteCount: products.rowBytes(Self.inputs)), expected = try fixture.rounded("rows", rowsOfScale: 1)
    for row in 0..<Self.rows {
      let found = x[(row * Self.inputs)..<(row + 1) * Self.inputs].withUnsafeBufferPointer { source -> [Float] in
        guard let base = source.baseAddress else { return [] }
        products.prepareRow(base, Self.inputs, into: prepared.address)
        return Array(UnsafeBufferPointer(start: prepared.address.assumingMemoryBound(to: Float.self), count: Self.inputs))
      }
      #expect(found == Array(expected[(row * Self.inputs)..<(row + 1) * Self.inputs]), "row \(row) with \(variant)")
    }
    let operand = products.operand(weight(), WorkerPool(threadCount: 2))
    #expect(operand.floatArray() == (try fixture.rounded("block", rowsOfScale: 128)))
  }

  /// Within the roundings of a sum of F32, which are far below what E4M3 changes.
  @Test(arguments: Kernels.available.map(\.name)) func linearLayerEqualsTorch(_ variant: String) throws {
    let fixture = try PrecisionFixture("float8-linear"), kernels = try #require(Kernels.available.first { $0.name == variant })
    let x = PrecisionFixture.made(Self.rows * Self.inputs, 1), gradient = PrecisionFixture.made(Self.rows * Self.outputs, 3)
    func results(_ precision: ProductPrecision) -> [String: [Float]] {
      let tape = Tape(compute: Compute(threadCount: 2, kernels: kernels), precision: precision), weight = weight()
      let input = tape.constant(x, shape: [Self.rows, Self.inputs]), output = tape.linear(input, LinearWeights(weight))[0]
      let values = tape.array(output)
      tape.backward(from: output, gradient: gradient)
      return [
        "linear.output": values, "linear.input": tape.gradientArray(input) ?? [], "linear.weight": weight.gradient.floatArray(),
      ]
    }
    let plain = results(.float32)
    for (name, found) in results(.float8) {
      let expected = try fixture.values(name), largest = expected.map(abs).max() ?? 0
      func difference(_ values: [Float]?) -> Float { zip(values ?? [], expected).map { abs($0 - $1) }.max() ?? .infinity }
      #expect(found.count == expected.count)
      #expect(difference(found) <= 2e-6 * largest, "\(name) with \(variant) differs by \(difference(found)) of \(largest)")
      #expect(difference(plain[name]) > 0.01 * largest, "\(name)")
    }
  }

  /// A DeepSeek-V3 in small: all but attention and the head, which are F32 there, in FP8. Values at the border between two E4M3 may fall
  /// to either side, and more behind them: torch's gradients with sums in float32 differ by 2 % from those with sums in double, and by
  /// 15 to 80 % from those without FP8.
  @Test func modelEqualsTorch() throws {
    let fixture = try PrecisionFixture("float8-model"), shape = try Fixture("deepseek-v3-plain")
    let facts = try JSONValue(
      parsing: Array(Data(contentsOf: PrecisionFixture.folder.appendingPathComponent("float8-model.json"))))
    let rows = try #require(facts["rows"]?.integer), size = shape.configuration.vocabularySize
    let tokens = (0..<rows).map { (7 * $0 * $0 + 13 * $0 + 3) % size }
    var targets = Array(tokens.dropFirst()) + [-1]
    targets[5] = -1
    targets[60] = -1
    let batch = TrainingBatch(tokens: tokens, targets: targets, documents: [0..<rows]), model = try shape.model()
    let tape = Tape(compute: Compute(threadCount: 2), precision: .float8, attentionPrecision: .float32)
    let loss = model.loss(batch, tape: tape).crossEntropy
    let expected = try #require(facts["float8"]?.double), exact = try #require(facts["float32"]?.double)
    #expect(abs(loss - expected) < 0.05 * abs(exact - expected), "the loss is \(loss), expected \(expected), in F32 \(exact)")
    let bound = try 5 * Float(#require(facts["largest difference"]?.double))
    var compared = 0
    for (name, tensor) in fixture.tensors where name.hasPrefix("model.model.") {
      let expected = tensor.floatArray(), found = try #require(model.parameters[String(name.dropFirst(6))]).gradient.floatArray()
      let size = expected.reduce(0) { $0 + $1 * $1 },
        difference = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      #expect(
        difference.squareRoot() <= bound * size.squareRoot(),
        "\(name) differs by \(difference.squareRoot()) of \(size.squareRoot())")
      compared += 1
    }
    #expect(compared > 10)
  }

  /// Numbers that are not finite do not vanish.
  @Test(arguments: [Float.infinity, -.infinity, .nan]) func brokenNumbersStay(_ broken: Float) {
    let tape = Tape(compute: Compute(threadCount: 1), precision: .float8)
    var x = PrecisionFixture.made(2 * Self.inputs, 1)
    x[3] = broken
    let output = tape.array(tape.linear(tape.constant(x, shape: [2, Self.inputs]), LinearWeights(weight()))[0])
    #expect(output[..<Self.outputs].allSatisfy { !$0.isFinite })
    #expect(output[Self.outputs...].allSatisfy { $0.isFinite })
  }
}

internal import Foundation
public import SwiftletTensors

extension Parameter {
  /// Whether weight decay is customary for it: for matrices, but not for norms, biases and embeddings.
  public var decays: Bool { shape.rank >= 2 && !Self.isEmbedding(name) }

  /// Whether it is a matrix between hidden states, which Muon may optimize: not an embedding or a head.
  public var isHiddenMatrix: Bool { Self.isHiddenMatrix(name, rank: shape.rank) }

  /// - Parameter name: of a parameter that need not be there.
  static func isHiddenMatrix(_ name: String, rank: Int) -> Bool {
    rank == 2 && !isEmbedding(name) && !name.hasSuffix("head.weight")
  }

  static func isEmbedding(_ name: String) -> Bool { name.hasSuffix("embed_tokens.weight") }
}

/// Parts of parameters for the threads to take, the same whatever their number.
struct ParameterPieces {
  struct Piece {
    let parameter: Int
    let range: Range<Int>
  }

  private static let length = 1 << 15
  let pieces: [Piece]

  init(_ parameters: [Parameter]) {
    pieces = parameters.enumerated().flatMap { index, parameter in
      stride(from: 0, to: parameter.shape.count, by: Self.length).map {
        Piece(parameter: index, range: $0..<min(parameter.shape.count, $0 + Self.length))
      }
    }
  }
}

/// The norm of all gradients together, and what clips it.
public struct GradientNorm {
  private let parameters: [Parameter]
  private let pieces: ParameterPieces

  public init(_ parameters: [Parameter]) {
    self.parameters = parameters
    pieces = ParameterPieces(parameters)
  }

  /// The root of the sum of squares; not a number when a gradient is not.
  public func norm(_ compute: Compute) -> Double {
    let squares = compute.sums(of: pieces.pieces.count) { index in
      let piece = pieces.pieces[index], start = parameters[piece.parameter].gradient.floats + piece.range.lowerBound
      return compute.kernels.sumOfProducts(start, start, piece.range.count)
    }
    return squares.reduce(0, +).squareRoot()
  }

  /// The first parameter whose gradient has a value that is no finite number.
  public func firstNotFinite() -> Parameter? {
    parameters.first { parameter in
      !UnsafeBufferPointer(start: parameter.gradient.floats, count: parameter.shape.count).allSatisfy(\.isFinite)
    }
  }

  /// What gradients are to be multiplied with so that their norm is at most `limit` (Pascanu et al. 2013; as torch has it).
  public static func scale(norm: Double, limit: Double) -> Float { Float(min(1, limit / (norm + 1e-6))) }
}

extension Compute {
  /// The results of `body` for every piece, on all threads.
  fileprivate func sums(of count: Int, _ body: (Int) -> Double) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return }
      pool.run(count) { index, _ in base[index] = body(index) }
    }
    return sums
  }
}

/// The extents of a tensor, slowest first: `[rows, columns]`. Up to four dimensions, held inline so that making a tensor
/// allocates nothing.
public struct Shape: Sendable, Equatable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The largest number of dimensions.
  public static let maximumRank = 4
  public let rank: Int
  private let extents: (Int, Int, Int, Int)

  /// - Parameter extents: at most four; more are a programming error, so readers of files check before they come here.
  public init(_ extents: [Int]) {
    precondition(extents.count <= Self.maximumRank, "a tensor has at most four dimensions")
    rank = extents.count
    func extent(_ index: Int) -> Int { index < extents.count ? extents[index] : 1 }
    self.extents = (extent(0), extent(1), extent(2), extent(3))
  }

  public init(arrayLiteral elements: Int...) { self.init(elements) }

  public init(_ rows: Int, _ columns: Int) {
    rank = 2
    extents = (rows, columns, 1, 1)
  }

  public subscript(index: Int) -> Int {
    switch index {
    case 0: extents.0
    case 1: extents.1
    case 2: extents.2
    default: extents.3
    }
  }

  /// The number of values.
  public var count: Int { extents.0 * extents.1 * extents.2 * extents.3 }
  /// The last extent; 1 for a scalar.
  public var columns: Int { rank == 0 ? 1 : self[rank - 1] }
  /// The product of all but the last extent.
  public var rows: Int { columns == 0 ? 0 : count / columns }

  public var array: [Int] { (0..<rank).map { self[$0] } }
  public var description: String { "[" + array.map(String.init).joined(separator: ", ") + "]" }

  public static func == (left: Shape, right: Shape) -> Bool {
    left.rank == right.rank && left.extents == right.extents
  }
}

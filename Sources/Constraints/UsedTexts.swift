/// Sets of texts: those that an object or list has used already, which must not come again.
///
/// A set is a tree of bytes and known by the number of its root; what is left of its texts behind a byte is the set of a node below. A set
/// with one text more shares with the earlier one all but the nodes along that text, so many texts take little more room than they have
/// bytes. Nothing is changed or removed, so a number always means the same.
struct UsedTexts: Sendable {
  struct Edge: Sendable {
    var byte: UInt8
    var node: Int32
  }

  private struct Node {
    /// Whether a text ends here.
    var isEnd: Bool
    /// Texts.
    var count: Int32
    /// Its edges.
    var start: Int
    var end: Int
  }

  /// The set without texts.
  static let none: Int32 = 0

  private var nodes = [Node(isEnd: false, count: 0, start: 0, end: 0)]
  private var allEdges: [Edge] = []

  /// How many texts a set has.
  func count(_ set: Int32) -> Int { Int(nodes[Int(set)].count) }

  /// Whether the empty text is in a set.
  func hasEmpty(_ set: Int32) -> Bool { nodes[Int(set)].isEnd }

  /// The bytes with which texts of a set begin, in ascending order, and what is left behind each.
  func edges(_ set: Int32) -> ArraySlice<Edge> {
    let node = nodes[Int(set)]
    return allEdges[node.start..<node.end]
  }

  /// What is left of the texts that begin with a byte.
  func rest(_ set: Int32, behind byte: UInt8) -> Int32 {
    let node = nodes[Int(set)]
    for index in node.start..<node.end where allEdges[index].byte == byte { return allEdges[index].node }
    return Self.none
  }

  /// The set with one text more.
  mutating func adding(_ text: ArraySlice<UInt8>, to set: Int32) -> Int32 {
    // The nodes along the text, and the empty set from where there are none.
    var path: [Int32] = [], node = set
    path.reserveCapacity(text.count)
    for byte in text {
      path.append(node)
      node = rest(node, behind: byte)
    }
    if hasEmpty(node) { return set }
    let last = nodes[Int(node)]
    nodes.append(Node(isEnd: true, count: last.count + 1, start: last.start, end: last.end))
    for (byte, earlier) in zip(text, path).reversed() { append(earlier, byte, Int32(nodes.count - 1)) }
    return Int32(nodes.count - 1)
  }

  /// Adds a node that is like an earlier one, but for what is behind a byte.
  private mutating func append(_ earlier: Int32, _ byte: UInt8, _ node: Int32) {
    let old = nodes[Int(earlier)], start = allEdges.count
    var index = old.start
    while index < old.end, allEdges[index].byte < byte {
      allEdges.append(allEdges[index])
      index += 1
    }
    if index < old.end, allEdges[index].byte == byte { index += 1 }
    allEdges.append(Edge(byte: byte, node: node))
    while index < old.end {
      allEdges.append(allEdges[index])
      index += 1
    }
    nodes.append(Node(isEnd: old.isEnd, count: old.count + 1, start: start, end: allEdges.count))
  }
}

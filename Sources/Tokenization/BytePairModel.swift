/// The vocabulary of byte-level BPE and its merges.
struct BytePairModel: Sendable {
  /// The bytes of every token by id; empty for ids that no token has.
  let tokenBytes: ByteStrings
  /// The ordinary tokens, by bytes.
  let tokens: ByteStringIndex
  let merges: MergeTable
  /// The id of every byte's token, -1 where there is none.
  let byteTokens: [Int32]
  /// Stands for bytes without a token; without it they vanish.
  let unknown: Int?
  /// Whether neighbouring unknown bytes are one unknown token.
  let fusesUnknown: Bool
  /// Whether a piece that is a token is taken as it is, whatever its merges give.
  let ignoresMerges: Bool

  /// Calls `body` with read access that needs no reference counting.
  func withView<Result>(_ body: (View) -> Result) -> Result? {
    merges.withView { merges in
      byteTokens.withUnsafeBufferPointer { byteTokens in
        body(View(model: self, merges: merges, byteTokens: byteTokens))
      }
    } ?? nil
  }

  struct View {
    fileprivate let model: BytePairModel
    let merges: MergeTable.View
    fileprivate let byteTokens: UnsafeBufferPointer<Int32>

    @inline(__always)
    var ignoresMerges: Bool { model.ignoresMerges }

    func token(_ piece: UnsafeBufferPointer<UInt8>) -> Int? { model.tokens.find(piece, in: model.tokenBytes) }

    /// Writes the tokens of the single bytes; returns how many there are, at most one a byte.
    @inline(__always)
    func symbols(_ piece: UnsafeBufferPointer<UInt8>, _ symbols: UnsafeMutablePointer<UInt32>) -> Int {
      var count = 0
      var wasUnknown = false
      for byte in piece {
        let id = byteTokens[Int(byte)]
        if id >= 0 {
          symbols[count] = UInt32(bitPattern: id)
          count += 1
          wasUnknown = false
        } else if let unknown = model.unknown, !(wasUnknown && model.fusesUnknown) {
          symbols[count] = UInt32(truncatingIfNeeded: unknown)
          count += 1
          wasUnknown = true
        }
      }
      return count
    }
  }
}

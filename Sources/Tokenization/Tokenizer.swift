internal import Synchronization

/// Byte-level byte-pair encoding: texts to token ids and back.
///
/// Made from a `tokenizer.json` or from the vocabulary of a GGUF file. It never changes, so any number of tasks may use one
/// at the same time.
public final class Tokenizer: Sendable {
  /// One more than the highest id.
  public let vocabularySize: Int
  public let beginningOfSequence: Int32?
  public let endOfSequence: Int32?
  /// Every token after which a generation is over: the end of the sequence, of a turn, of a message.
  public let generationEnds: Set<Int32>
  /// Whether the model expects the beginning of sequence before a text.
  public let addsBeginningOfSequence: Bool
  /// nil for a vocabulary without tokens for filling in the middle.
  public let fillInMiddle: FillInMiddleTokens?

  let model: BytePairModel
  let preTokenizer: PreTokenizer
  private let normalizer: Normalizer
  private let addsPrefixSpace: Bool
  private let special: [Bool]
  /// Tokens found in the text as it came, then those found in the normalized text.
  private let matchers: (raw: AddedTokenMatcher, normalized: AddedTokenMatcher)
  private let addedTokens: [[UInt8]: Int32]
  private let idleEncoders = Mutex<[BytePairEncoder]>([])

  /// What the readers of the two file formats find out.
  struct Parts {
    var model: BytePairModel
    var preTokenizer: PreTokenizer
    var normalizer = Normalizer.none
    var addsPrefixSpace = false
    var addedTokens: [AddedToken]
    var beginningOfSequence: Int?
    var endOfSequence: Int?
    var furtherEnds: [Int] = []
    var fillInMiddle: [Int]?
    var addsBeginningOfSequence: Bool
  }

  init(_ parts: Parts) {
    model = parts.model
    preTokenizer = parts.preTokenizer
    normalizer = parts.normalizer
    addsPrefixSpace = parts.addsPrefixSpace
    vocabularySize = parts.model.tokenBytes.count
    beginningOfSequence = parts.beginningOfSequence.map { Int32(truncatingIfNeeded: $0) }
    endOfSequence = parts.endOfSequence.map { Int32(truncatingIfNeeded: $0) }
    addsBeginningOfSequence = parts.addsBeginningOfSequence
    var special = [Bool](repeating: false, count: parts.model.tokenBytes.count)
    var ends = Set(parts.furtherEnds.map { Int32(truncatingIfNeeded: $0) })
    var byContent: [[UInt8]: Int32] = [:]
    for token in parts.addedTokens {
      let id = Int32(truncatingIfNeeded: token.id)
      if token.isSpecial { special[token.id] = true }
      if Self.customaryEnds.contains(token.content) { ends.insert(id) }
      byContent[token.content] = id
    }
    if let endOfSequence { ends.insert(endOfSequence) }
    generationEnds = ends
    self.special = special
    addedTokens = byContent
    let marks =
      parts.fillInMiddle?.map { Int32(truncatingIfNeeded: $0) }
      ?? FillInMiddleTokens.names.lazy.map { $0.compactMap { byContent[Array($0.utf8)] } }.first { $0.count == 3 }
    fillInMiddle = marks.map { FillInMiddleTokens(prefix: $0[0], suffix: $0[1], middle: $0[2]) }
    var normalized = parts.addedTokens.filter(\.isNormalized)
    for index in normalized.indices {
      let content = normalized[index].content
      normalized[index].content = content.withUnsafeBufferPointer { parts.normalizer.normalized($0) } ?? content
    }
    matchers = (AddedTokenMatcher(parts.addedTokens.filter { !$0.isNormalized }), AddedTokenMatcher(normalized))
  }

  /// Added tokens that end a turn, a message or a sequence by their name, whatever the file declares.
  private static let customaryEnds = Set(
    [
      "<｜end▁of▁sentence｜>", "<|EOT|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>",
      "<end_of_turn>", "<EOT>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    ].map { Array($0.utf8) })

  /// The ids of a text.
  /// - Parameters:
  ///   - addedTokens: which added tokens (special ones among them) are recognised where they stand in the text.
  ///   - addingBeginningOfSequence: puts the beginning of sequence first, where the vocabulary has one.
  public func encode(
    _ text: String, addedTokens: AddedTokenMatching = .all, addingBeginningOfSequence: Bool = false
  ) -> [Int32] {
    var text = text
    return text.withUTF8 { encode(valid: $0, addedTokens, addingBeginningOfSequence) }
  }

  /// The ids of a text in UTF-8. Every ill-formed sequence (in the Unicode standard's maximal-subpart sense) is read as U+FFFD.
  public func encode(
    utf8: ArraySlice<UInt8>, addedTokens: AddedTokenMatching = .all, addingBeginningOfSequence: Bool = false
  ) -> [Int32] {
    encode(String(decoding: utf8, as: UTF8.self), addedTokens: addedTokens, addingBeginningOfSequence: addingBeginningOfSequence)
  }

  private func encode(
    valid text: UnsafeBufferPointer<UInt8>, _ matching: AddedTokenMatching, _ addingBeginningOfSequence: Bool
  ) -> [Int32] {
    var ids: [Int32] = []
    ids.reserveCapacity(text.count / 3 + 2)
    if addingBeginningOfSequence, let beginningOfSequence { ids.append(beginningOfSequence) }
    var budget = RegexBudget(byteCount: text.count)
    let encoder = idleEncoders.withLock { $0.popLast() } ?? BytePairEncoder()
    matchers.raw.split(text, matching) { part, token in
      if let token {
        ids.append(Int32(truncatingIfNeeded: token))
      } else if let normalized = normalizer.normalized(part) {
        normalized.withUnsafeBufferPointer { encode(normalized: $0, matching, encoder, &budget, &ids) }
      } else {
        encode(normalized: part, matching, encoder, &budget, &ids)
      }
    }
    encoder.trim()
    idleEncoders.withLock { if $0.count < 8 { $0.append(encoder) } }
    return ids
  }

  private func encode(
    normalized text: UnsafeBufferPointer<UInt8>, _ matching: AddedTokenMatching, _ encoder: BytePairEncoder,
    _ budget: inout RegexBudget, _ ids: inout [Int32]
  ) {
    matchers.normalized.split(text, matching) { part, token in
      if let token {
        ids.append(Int32(truncatingIfNeeded: token))
      } else if addsPrefixSpace, part.first != UInt8(ascii: " ") {
        ([UInt8(ascii: " ")] + part).withUnsafeBufferPointer { encodePieces($0, encoder, &budget, &ids) }
      } else {
        encodePieces(part, encoder, &budget, &ids)
      }
    }
  }

  private func encodePieces(
    _ text: UnsafeBufferPointer<UInt8>, _ encoder: BytePairEncoder, _ budget: inout RegexBudget, _ ids: inout [Int32]
  ) {
    model.withView { model in
      preTokenizer.forEachPiece(text, &budget) { encoder.append(text, $0, model, to: &ids) }
    }
  }

  /// The text of the ids. Bytes that are no UTF-8 become U+FFFD; ids outside the vocabulary are empty.
  public func decode(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> String {
    var bytes: [UInt8] = []
    for id in ids where !(skippingSpecialTokens && isSpecial(id)) { bytes.append(contentsOf: self.bytes(of: id)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The bytes that a token stands for: perhaps part of a scalar. Empty for ids outside the vocabulary.
  public func bytes(of id: Int32) -> ArraySlice<UInt8> {
    model.tokenBytes.indices.contains(Int(id)) ? model.tokenBytes[Int(id)] : []
  }

  /// The token that stands for exactly this text: an added token, else an ordinary one.
  public func id(of text: String) -> Int32? {
    let bytes = Array(text.utf8)
    if let id = addedTokens[bytes] { return id }
    return bytes.withUnsafeBufferPointer { model.tokens.find($0, in: model.tokenBytes) }.map { Int32(truncatingIfNeeded: $0) }
  }

  /// Whether the token is a control token: one that carries no text of an answer.
  public func isSpecial(_ id: Int32) -> Bool { special.indices.contains(Int(id)) && special[Int(id)] }
}

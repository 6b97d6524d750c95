internal import SwiftletConstraints
internal import SwiftletTokenization
internal import Synchronization

/// What all constraints need of a model's vocabulary.
final class ConstraintVocabulary: Sendable {
  /// The tag that ends a thought.
  static let closeTag = Array("</think>".utf8)

  let tokenizer: Tokenizer
  let trie: TokenTrie
  /// Tokens that end an answer.
  let ends: Set<Int32>
  /// The token that opens a thought, in vocabularies that have one.
  let openThought: Int32?
  /// What is taken to end a thought for which there is no room any more.
  let closing: [Int32]
  /// White space that models are used to write behind a thought.
  let spaces: [Int32]
  /// By how many bytes of the closing tag are there: tokens that hold the rest of it and more than white space behind it.
  let closers: [[Int32]]

  init(_ tokenizer: Tokenizer, ends: Set<Int32>) {
    self.tokenizer = tokenizer
    self.ends = ends
    trie = TokenTrie(tokenizer, excluding: ends)
    openThought = tokenizer.openThought
    closing = tokenizer.encode(ThinkingBudget.closing)
    spaces = [" ", "\n", "\n\n"].compactMap { tokenizer.id(of: $0) }
    var closers = [[Int32]](repeating: [], count: Self.closeTag.count)
    for id in 0..<Int32(tokenizer.vocabularySize) {
      let bytes = tokenizer.bytes(of: id)
      // Only with the tag's last byte, and something behind it.
      guard bytes.dropLast().contains(UInt8(ascii: ">")) else { continue }
      for begun in closers.indices {
        guard let rest = ThoughtEnd(begun: begun).rest(behind: bytes) else { continue }
        if rest.contains(where: { !Self.isSpace($0) }) { closers[begun].append(id) }
      }
    }
    self.closers = closers
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

/// Finds the end of a thought in bytes as they come.
struct ThoughtEnd {
  /// How many bytes of the tag are there.
  private(set) var begun = 0

  init(begun: Int = 0) { self.begun = begun }

  /// Goes on with some bytes.
  /// - Returns: what stands behind the tag; nil while the thought has not ended.
  mutating func append(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let tag = ConstraintVocabulary.closeTag
    for index in bytes.indices {
      // `<` stands at the tag's beginning alone.
      begun = bytes[index] == tag[begun] ? begun + 1 : bytes[index] == tag[0] ? 1 : 0
      if begun == tag.count { return bytes[(index + 1)...] }
    }
    return nil
  }

  func rest(behind bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var copy = self
    return copy.append(bytes)
  }
}

/// A grammar made ready for a model.
struct PreparedConstraint: Sendable {
  let vocabulary: ConstraintVocabulary
  let grammar: CompiledGrammar

  /// The fewest tokens of an answer.
  /// - Parameter opensThought: whether it begins inside of a thought, which must be closed first.
  func leastTokens(opensThought: Bool) -> Int { grammar.leastTokens + (opensThought ? vocabulary.closing.count : 0) }
}

/// The grammars that requests asked for last, each compiled once.
final class GrammarCache: Sendable {
  private static let capacity = 16

  private let tokenizer: Tokenizer
  private let ends: Set<Int32>
  private let vocabulary = Mutex<ConstraintVocabulary?>(nil)
  /// The one used last at the end.
  private let compiled = Mutex<[(grammar: Grammar, compiled: CompiledGrammar)]>([])

  init(_ tokenizer: Tokenizer, ends: Set<Int32>) {
    self.tokenizer = tokenizer
    self.ends = ends
  }

  /// Takes a moment when a grammar is new.
  func prepare(_ grammar: Grammar) throws(ConstraintError) -> PreparedConstraint {
    let vocabulary = vocabulary.withLock { known in
      let vocabulary = known ?? ConstraintVocabulary(tokenizer, ends: ends)
      known = vocabulary
      return vocabulary
    }
    if let known = find(grammar) { return PreparedConstraint(vocabulary: vocabulary, grammar: known) }
    let new = try CompiledGrammar(grammar, trie: vocabulary.trie)
    compiled.withLock { list in
      list.removeAll { $0.grammar == grammar }
      list.append((grammar, new))
      if list.count > Self.capacity { list.removeFirst() }
    }
    return PreparedConstraint(vocabulary: vocabulary, grammar: new)
  }

  private func find(_ grammar: Grammar) -> CompiledGrammar? {
    compiled.withLock { list in
      guard let index = list.firstIndex(where: { $0.grammar == grammar }) else { return nil }
      let entry = list.remove(at: index)
      list.append(entry)
      return entry.compiled
    }
  }
}

extension Tokenizer {
  /// A tokenizer from a GGUF file's vocabulary.
  /// - Throws: `TokenizerError` naming the metadata field that is broken or asks for what is not supported.
  public convenience init(_ description: VocabularyDescription) throws(TokenizerError) {
    var builder = VocabularyBuilder(source: description.source)
    let field = "tokenizer.ggml."
    guard description.model == "gpt2" else {
      throw builder.unsupported(
        field + "model", "found \(TokenizerError.quote(description.model)), expected \"gpt2\" (byte-level BPE)")
    }
    guard !description.tokens.isEmpty else { throw builder.malformed(field + "tokens", "the vocabulary is empty") }
    guard !description.merges.isEmpty else {
      throw builder.malformed(field + "merges", "is missing or empty, expected an array of texts such as \"a b\"")
    }
    builder.expect(description.tokens.count)
    let types = description.tokenTypes
    guard types.isEmpty || types.count == description.tokens.count else {
      throw builder.malformed(field + "token_type", "found \(types.count) types for \(description.tokens.count) tokens")
    }
    var added: [AddedToken] = []
    for (id, text) in description.tokens.enumerated() {
      let type = types.isEmpty ? 1 : types[id]
      let kind: TokenKind =
        switch type {
        case 2, 3, 4, 5: .literal
        case 6: .byte
        default: .ordinary
        }
      try builder.add(id, text, kind, field: field + "tokens")
      // Unknown, control and user-defined tokens are found in texts; unused ones are not.
      guard (2...4).contains(type), !text.isEmpty else { continue }
      try builder.countAdded(text, field: field + "tokens[\(id)]")
      added.append(AddedToken(id: id, content: Array(text.utf8), isSpecial: type != 4))
    }
    try builder.index(field: field + "tokens", mergeCount: description.merges.count)
    for (rank, merge) in description.merges.enumerated() {
      try builder.addMerge(merge, rank: rank, field: field + "merges")
    }
    func checked(_ id: Int?, _ name: String) throws(TokenizerError) -> Int? {
      // The 32-bit -1, which some writers put where there is no such token.
      guard let id, id != Int(UInt32.max) else { return nil }
      guard builder.text(id) != nil else {
        throw builder.malformed(field + name, "the id \(id) is outside the vocabulary of \(description.tokens.count) tokens")
      }
      return id
    }
    var furtherEnds: [Int] = []
    for id in description.furtherEnds { if let id = try checked(id, "eot_token_id or eom_token_id") { furtherEnds.append(id) } }
    var fillInMiddle: [Int]?
    if let ids = description.fillInMiddle, ids.count == 3 {
      let known = try ids.map { id throws(TokenizerError) in
        try checked(id, "fim_pre_token_id, fim_suf_token_id or fim_mid_token_id")
      }
      if known.allSatisfy({ $0 != nil }) { fillInMiddle = ids }
    }
    let name = description.preTokenizer ?? "default"
    guard let (preTokenizer, ignoresMerges) = try? KnownPatterns.named(name) else {
      throw builder.unsupported(field + "pre", "the pre-tokenizer \(TokenizerError.quote(name)) is not known")
    }
    self.init(
      Parts(
        model: builder.model(unknown: nil, fusesUnknown: false, ignoresMerges: ignoresMerges), preTokenizer: preTokenizer,
        addedTokens: added, beginningOfSequence: try checked(description.beginningOfSequence, "bos_token_id"),
        endOfSequence: try checked(description.endOfSequence, "eos_token_id"), furtherEnds: furtherEnds,
        fillInMiddle: fillInMiddle,
        // Files of Llama 3 leave it out, and expect it.
        addsBeginningOfSequence: description.addsBeginningOfSequence ?? ignoresMerges))
  }
}

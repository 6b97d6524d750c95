/// How a text is cut into the pieces inside which merges happen.
enum PreTokenizer: Sendable {
  case gpt2(individualNumbers: Bool)
  case llama3(maximumNumberLength: Int)
  case deepSeekLLM
  case deepSeekCoder
  case deepSeekV3
  case pipeline(SplitPipeline)

  /// Calls `body` with every piece of a text of valid UTF-8, in order. Only patterns take from the budget.
  @inline(__always)
  func forEachPiece(_ text: UnsafeBufferPointer<UInt8>, _ budget: inout RegexBudget, _ body: (Range<Int>) -> Void) {
    switch self {
    case .gpt2(let individualNumbers):
      ScalarText.with(text, ScalarClass.table) {
        Self.scan(GPT2Scanner(text: $0, individualNumbers: individualNumbers), $0.end, body)
      }
    case .llama3(let maximumNumberLength):
      ScalarText.with(text, ScalarClass.table) {
        Self.scan(Llama3Scanner(text: $0, maximumNumberLength: maximumNumberLength), $0.end, body)
      }
    case .deepSeekLLM:
      ScalarText.with(text, DeepSeekLLMScanner.languageTable) {
        Self.scan(DeepSeekLLMScanner(text: $0, splitsTrailingWhitespace: true), $0.end, body)
      }
    case .deepSeekCoder:
      ScalarText.with(text, DeepSeekLLMScanner.coderTable) {
        Self.scan(DeepSeekLLMScanner(text: $0, splitsTrailingWhitespace: false), $0.end, body)
      }
    case .deepSeekV3:
      ScalarText.with(text, DeepSeekV3Scanner.table) { Self.scan(DeepSeekV3Scanner(text: $0), $0.end, body) }
    case .pipeline(let pipeline):
      for piece in pipeline.pieces(text, &budget) { body(piece) }
    }
  }

  @inline(__always)
  private static func scan(_ scanner: consuming some PieceScanner, _ end: Int, _ body: (Range<Int>) -> Void) {
    var scanner = scanner
    var position = 0
    while position < end {
      let next = scanner.pieceEnd(position)
      body(position..<next)
      position = next
    }
  }
}

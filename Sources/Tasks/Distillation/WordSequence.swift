/// A text's words as numbers, to be compared with those of other texts: letters and digits in lower case, every Chinese character and
/// every operator such as + a word of its own, all other signs left out.
struct WordSequence {
  let words: [UInt64]

  init(_ text: String) {
    var words: [UInt64] = [], word: UInt64 = 0, isInside = false
    func end() {
      if isInside { words.append(StableHash.mix(word)) }
      (word, isInside) = (0xCBF2_9CE4_8422_2325, false)
    }
    end()
    for scalar in text.lowercased().unicodeScalars {
      let value = UInt64(scalar.value)
      if Script.isHan(scalar) || "+-*/=<>^%×÷".unicodeScalars.contains(scalar) {
        end()
        words.append(StableHash.mix(value))
      } else if scalar.isASCII
        ? (0x30...0x39).contains(value) || (0x61...0x7A).contains(value)
        : scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      {
        word = (word ^ value) &* 0x100_0000_01B3
        isInside = true
      } else {
        end()
      }
    }
    end()
    self.words = words
  }

  /// A number for every run of so many words.
  func runs(of length: Int) -> [UInt64] {
    guard length > 0, words.count >= length else { return [] }
    return (0...words.count - length).map { Self.hash(words[$0..<$0 + length]) }
  }

  /// A number for all words in their order.
  var whole: UInt64 { Self.hash(words[...]) }

  /// The runs of five words, each once; of shorter texts all of it.
  var shingles: Set<UInt64> { words.count < Self.shingleWords ? [whole] : Set(runs(of: Self.shingleWords)) }

  static let shingleWords = 5

  private static func hash(_ words: ArraySlice<UInt64>) -> UInt64 {
    words.reduce(UInt64(words.count)) { StableHash.mix($0 &* 0x9E37_79B9_7F4A_7C15 ^ $1) }
  }
}

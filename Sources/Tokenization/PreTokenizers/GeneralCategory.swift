/// Sets of Unicode general categories as bits, so that `\p{L}` is one mask.
enum CategoryMask {
  static let letter: UInt32 = 0x1F
  static let mark: UInt32 = 0x7 << 5
  static let number: UInt32 = 0x7 << 8
  static let punctuation: UInt32 = 0x7F << 11
  static let symbol: UInt32 = 0xF << 18
  static let separator: UInt32 = 0x7 << 22
  static let other: UInt32 = 0x1F << 25

  /// The mask of a category's name as regular expressions write it (`L`, `Lu`, `Letter`); nil for an unknown name.
  static func named(_ name: String) -> UInt32? {
    switch name {
    case "L", "Letter": return letter
    case "M", "Mark", "Combining_Mark": return mark
    case "N", "Number": return number
    case "P", "Punctuation", "Punct": return punctuation
    case "S", "Symbol": return symbol
    case "Z", "Separator": return separator
    case "C", "Other": return other
    default:
      guard let index = shortNames.firstIndex(of: name) else { return nil }
      return 1 << UInt32(index)
    }
  }

  /// By category number.
  private static let shortNames = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk",
    "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]
}

enum ScalarCategories {
  static let unassigned: UInt8 = 29
  private static let privateUse: UInt8 = 28
  private static let surrogate: UInt8 = 27

  /// The category number (the bit's index in a `CategoryMask`) of every scalar, as of Unicode 16: the version of the
  /// reference tokenizers, so that scalars which Unicode assigned later stay unassigned.
  static let table = ScalarTable { value in
    // Planes 4 to 13 hold nothing; 15 and 16 are for private use.
    if (0x40000..<0xE0000).contains(value) || (0xE1000..<0xF0000).contains(value) { return unassigned }
    if value >= 0xF0000 { return value & 0xFFFE == 0xFFFE ? unassigned : privateUse }
    guard let scalar = Unicode.Scalar(value) else { return surrogate }
    let properties = scalar.properties
    let category = number(of: properties.generalCategory)
    if category == unassigned { return unassigned }
    guard let age = properties.age, age.major <= 16 else { return unassigned }
    return category
  }

  @inline(__always)
  static func mask(_ value: UInt32) -> UInt32 { 1 << UInt32(table[value]) }

  private static func number(of category: Unicode.GeneralCategory) -> UInt8 {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: surrogate
    case .privateUse: privateUse
    case .unassigned: unassigned
    @unknown default: unassigned
    }
  }

  /// The property White_Space, which is what `\s` means in the patterns of tokenizers.
  @inline(__always)
  static func isWhitespace(_ value: UInt32) -> Bool {
    switch value {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}

extension Unicode.Scalar {
  /// Python's `str.isspace`, which is also `\s` of its regular expressions.
  var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20: true
    case 0..<0x80: false
    default: properties.isWhitespace
    }
  }

  /// Python's `str.isprintable`.
  var isPythonPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: self == " "
    default: true
    }
  }

  /// Where Python's `str.splitlines` ends a line.
  var isPythonLineBreak: Bool {
    switch value {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  /// Python's `str.isalpha`.
  var isPythonLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// Python's `str.isdigit`.
  var isPythonDigit: Bool {
    properties.numericType == .decimal || properties.numericType == .digit
  }
}

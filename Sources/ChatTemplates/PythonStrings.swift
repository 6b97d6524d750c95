extension String {
  func hasUTF8Suffix(_ suffix: String) -> Bool {
    utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  /// Python's `strip`: white space, or any of the characters, off the ends.
  func stripped(_ characters: String? = nil, start: Bool = true, end: Bool = true) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    func isStripped(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.isPythonSpace }
    let scalars = unicodeScalars
    var (first, last) = (scalars.startIndex, scalars.endIndex)
    if start { while first < last, isStripped(scalars[first]) { scalars.formIndex(after: &first) } }
    if end { while first < last, isStripped(scalars[scalars.index(before: last)]) { scalars.formIndex(before: &last) } }
    return String(scalars[first..<last])
  }

  /// Python's `split()`: the runs between white space.
  func words(limit: Int, fromEnd: Bool) -> [String] {
    var words: [String] = []
    var rest = unicodeScalars[...]
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.isPythonSpace }
    while true {
      if fromEnd {
        while let last = rest.last, isSpace(last) { rest.removeLast() }
      } else {
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
      }
      if rest.isEmpty { break }
      if words.count >= limit {
        words.append(String(rest))
        break
      }
      if fromEnd {
        let start = rest.lastIndex(where: isSpace).map { rest.index(after: $0) } ?? rest.startIndex
        words.append(String(rest[start...]))
        rest = rest[..<start]
      } else {
        let end = rest.firstIndex(where: isSpace) ?? rest.endIndex
        words.append(String(rest[..<end]))
        rest = rest[end...]
      }
    }
    return fromEnd ? words.reversed() : words
  }

  var pythonUppercased: String { mapped { $0.properties.uppercaseMapping } }

  /// With the final sigma, as Python does.
  var pythonLowercased: String {
    let scalars = Array(unicodeScalars)
    var result = ""
    for (place, scalar) in scalars.enumerated() {
      guard scalar == "\u{3A3}" else {
        result += scalar.properties.lowercaseMapping
        continue
      }
      let before = scalars[..<place].last { !$0.properties.isCaseIgnorable }
      let after = scalars[(place + 1)...].first { !$0.properties.isCaseIgnorable }
      let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
      result += isFinal ? "\u{3C2}" : "\u{3C3}"
    }
    return result
  }

  var pythonCapitalized: String {
    guard let first = unicodeScalars.first else { return self }
    return first.properties.titlecaseMapping + String(unicodeScalars.dropFirst()).pythonLowercased
  }

  /// Python's `title`: a capital after whatever is not a letter.
  var pythonTitlecased: String {
    var followsLetter = false
    return mapped { scalar in
      let mapping = followsLetter ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      followsLetter = scalar.properties.isCased
      return mapping
    }
  }

  private func mapped(_ transform: (Unicode.Scalar) -> String) -> String {
    var result = ""
    for scalar in unicodeScalars { result += transform(scalar) }
    return result
  }

  func isNonEmpty(_ test: (Unicode.Scalar) -> Bool) -> Bool { !isEmpty && unicodeScalars.allSatisfy(test) }

  /// Python's `isupper` and `islower`: some of the one case, none of the other.
  func hasOnly(
    _ wanted: KeyPath<Unicode.Scalar.Properties, Bool>, against other: KeyPath<Unicode.Scalar.Properties, Bool>
  ) -> Bool {
    var isFound = false
    for scalar in unicodeScalars {
      let properties = scalar.properties
      if properties[keyPath: other] || properties.generalCategory == .titlecaseLetter { return false }
      if properties[keyPath: wanted] { isFound = true }
    }
    return isFound
  }
}

extension Renderer {
  /// Python's `text.name(…)`.
  func callMethod(_ name: String, of text: String, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
    try spend(bytes: text.utf8.count)
    try spend(on: arguments)
    switch name {
    case "split", "rsplit": return try split(text, arguments, fromEnd: name == "rsplit")
    case "format": return .string(try formatted(braces: text, arguments))
    case "splitlines":
      let values = try bind(arguments, to: ["keepends"], of: name)
      return try list(try lines(of: text, keepsEnds: values[0]?.isTrue ?? false).map { .string($0) })
    default: break
    }
    guard arguments.named.isEmpty else { throw failure("'\(name)' takes no named arguments") }
    let values = arguments.positional
    func string(_ place: Int) throws(TemplateError) -> String {
      guard place < values.count else { throw failure("'\(name)' needs \(place + 1) arguments, found \(values.count)") }
      guard let string = values[place].text else {
        throw failure("'\(name)' needs a string, found \(values[place].typeName)")
      }
      return string
    }
    func require(_ counts: ClosedRange<Int>) throws(TemplateError) {
      guard counts.contains(values.count) else { throw failure("'\(name)' with \(values.count) arguments") }
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      try require(0...1)
      var characters: String?
      if let first = values.first, case .none = first {} else if !values.isEmpty { characters = try string(0) }
      return .string(try counted(text.stripped(characters, start: name != "rstrip", end: name != "lstrip")))
    case "startswith", "endswith":
      if (2...3).contains(values.count) { throw .unsupported(line: line, construct: "'\(name)' with a range") }
      try require(1...1)
      var parts = [values[0]]
      if case .sequence(let sequence) = values[0], sequence.kind == .tuple { parts = sequence.elements }
      for part in parts {
        guard let part = part.text else { throw failure("'\(name)' needs a string, found \(part.typeName)") }
        try spend(1)
        try spend(bytes: part.utf8.count)
        if name == "startswith" ? text.utf8.starts(with: part.utf8) : text.hasUTF8Suffix(part) { return .bool(true) }
      }
      return .bool(false)
    case "removeprefix", "removesuffix":
      try require(1...1)
      let part = try string(0)
      if name == "removeprefix", text.utf8.starts(with: part.utf8) {
        return .string(try counted(String(bytes: text.utf8.dropFirst(part.utf8.count))))
      }
      if name == "removesuffix", text.hasUTF8Suffix(part) {
        return .string(try counted(String(bytes: text.utf8.dropLast(part.utf8.count))))
      }
      return .string(text)
    case "replace":
      try require(2...3)
      var count: Int?
      if values.count == 3 {
        guard let limit = values[2].integer else { throw failure("'replace' needs an integer count") }
        count = limit
      }
      return .string(try replaced(text, try string(0), by: try string(1), count: count))
    case "find", "rfind", "count":
      guard values.count < 2 else { throw .unsupported(line: line, construct: "'\(name)' with a range") }
      return .integer(try find(try string(0), in: text, name))
    case "partition":
      try require(1...1)
      let separator = try string(0)
      guard !separator.isEmpty else { throw failure("'partition' with an empty separator") }
      let bytes = Array(text.utf8)
      let place = text.firstRange(ofUTF8: separator) ?? bytes.count..<bytes.count
      return try sequence(
        .tuple,
        [bytes[..<place.lowerBound], bytes[place], bytes[place.upperBound...]].map { .string(String(bytes: $0)) })
    case "join":
      try require(1...1)
      var result = ""
      for (place, element) in try elements(of: values[0]).enumerated() {
        guard let element = element.text else { throw failure("'join' needs strings, found \(element.typeName)") }
        if place > 0 { try append(text, to: &result) }
        try append(element, to: &result)
      }
      return .string(result)
    default:
      try require(0...0)
      return try caseMethod(name, of: text)
    }
  }

  private func caseMethod(_ name: String, of text: String) throws(TemplateError) -> TemplateValue {
    switch name {
    case "upper": return .string(try counted(text.pythonUppercased))
    case "lower": return .string(try counted(text.pythonLowercased))
    case "capitalize": return .string(try counted(text.pythonCapitalized))
    case "title": return .string(try counted(text.pythonTitlecased))
    case "isupper": return .bool(text.hasOnly(\.isUppercase, against: \.isLowercase))
    case "islower": return .bool(text.hasOnly(\.isLowercase, against: \.isUppercase))
    case "isspace": return .bool(text.isNonEmpty { $0.isPythonSpace })
    case "isalpha": return .bool(text.isNonEmpty { $0.isPythonLetter })
    case "isdigit": return .bool(text.isNonEmpty { $0.isPythonDigit })
    default: return .bool(text.isNonEmpty { $0.isPythonLetter || $0.properties.numericType != nil })
    }
  }

  private func find(_ part: String, in text: String, _ name: String) throws(TemplateError) -> Int {
    if part.isEmpty {
      let length = text.unicodeScalars.count
      return name == "find" ? 0 : name == "rfind" ? length : length + 1
    }
    let bytes = Array(text.utf8)
    let search = TextSearch(part)
    if name == "count" { return search.offsets(in: bytes).count }
    let offset: Int?
    if name == "find" {
      offset = search.offsets(in: bytes, limit: 1).first
    } else {
      // The last place, overlaps included, is the first one backwards.
      let backwards = TextSearch(reversing: part).offsets(in: bytes.reversed(), limit: 1).first
      offset = backwards.map { bytes.count - $0 - part.utf8.count }
    }
    guard let offset else { return -1 }
    return String(bytes: bytes[..<offset]).unicodeScalars.count
  }

  func replaced(_ text: String, _ old: String, by new: String, count: Int?) throws(TemplateError) -> String {
    let limit = count.map { $0 < 0 ? Int.max : $0 } ?? .max
    try spend(bytes: text.utf8.count)
    var result = ""
    if old.isEmpty {
      var done = 0
      for scalar in text.unicodeScalars {
        if done < limit { try append(new, to: &result) }
        done += 1
        try append(String(scalar), to: &result)
      }
      if done < limit { try append(new, to: &result) }
      return result
    }
    let bytes = Array(text.utf8)
    var start = 0
    for offset in TextSearch(old).offsets(in: bytes, limit: limit) {
      try append(String(bytes: bytes[start..<offset]), to: &result)
      try append(new, to: &result)
      start = offset + old.utf8.count
    }
    if start == 0 { return text }
    try append(String(bytes: bytes[start...]), to: &result)
    return result
  }

  private func split(_ text: String, _ arguments: Arguments, fromEnd: Bool) throws(TemplateError) -> TemplateValue {
    let values = try bind(arguments, to: ["sep", "maxsplit"], of: "split")
    var limit = Int.max
    if let value = values[1] {
      guard let maximum = value.integer else { throw failure("'split' needs an integer 'maxsplit'") }
      if maximum >= 0 { limit = maximum }
    }
    var bytes = Array(text.utf8)
    switch values[0] ?? .none {
    case .none:
      return try list(text.words(limit: limit, fromEnd: fromEnd).map { .string($0) })
    case let separator:
      guard let separator = separator.text else { throw failure("'split' needs a string, found \(separator.typeName)") }
      guard !separator.isEmpty else { throw failure("'split' with an empty separator") }
      if fromEnd { bytes.reverse() }
      let search = fromEnd ? TextSearch(reversing: separator) : TextSearch(separator)
      var parts: [TemplateValue] = []
      func add(_ part: ArraySlice<UInt8>) {
        parts.append(.string(fromEnd ? String(bytes: part.reversed()) : String(bytes: part)))
      }
      var start = 0
      for offset in search.offsets(in: bytes, limit: limit) {
        add(bytes[start..<offset])
        start = offset + separator.utf8.count
      }
      add(bytes[start...])
      if fromEnd { parts.reverse() }
      try allocate(bytes.count)
      return try list(parts)
    }
  }

  /// The lines of a text by all of Python's line breaks.
  func lines(of text: String, keepsEnds: Bool = false) throws(TemplateError) -> [String] {
    try allocate(text.utf8.count)
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var isOpen = false
    let scalars = Array(text.unicodeScalars)
    var place = 0
    while place < scalars.count {
      let scalar = scalars[place]
      place += 1
      guard scalar.isPythonLineBreak else {
        line.append(scalar)
        isOpen = true
        continue
      }
      if keepsEnds { line.append(scalar) }
      if scalar == "\r", place < scalars.count, scalars[place] == "\n" {
        if keepsEnds { line.append("\n") }
        place += 1
      }
      lines.append(String(line))
      line = String.UnicodeScalarView()
      isOpen = false
    }
    if isOpen { lines.append(String(line)) }
    return lines
  }
}

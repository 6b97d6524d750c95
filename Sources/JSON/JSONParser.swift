/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Sendable, CustomStringConvertible {
  /// Byte offset from the start of the text.
  public let offset: Int
  /// 1-based.
  public let line: Int
  public let reason: String

  public var description: String { "line \(line), byte \(offset): \(reason)" }
}

extension JSONValue {
  /// Parses one JSON text (RFC 8259) in UTF-8. Nesting is limited to 256 levels, so that a hostile file cannot exhaust the stack, and
  /// the values' memory to four times the text's size and 16 MB.
  /// - Throws: `JSONError` with the place and what was expected there.
  public init(parsing bytes: RawSpan) throws(JSONError) {
    var parser = JSONParser()
    self = try parser.document(bytes)
  }

  public init(parsing bytes: [UInt8]) throws(JSONError) {
    try self.init(parsing: bytes.span.bytes)
  }

  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}

/// A recursive-descent parser over bytes. Strings are validated as UTF-8; lone surrogate escapes become U+FFFD.
struct JSONParser {
  private static let maximumDepth = JSONMemory.maximumDepth
  private var position = 0
  private var depth = 0
  private var memory = JSONMemory()

  mutating func document(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
    if bytes.byteCount >= 3, bytes.byte(0) == 0xEF, bytes.byte(1) == 0xBB, bytes.byte(2) == 0xBF { position = 3 }
    memory = JSONMemory(bytes)
    let value = try value(bytes)
    skipWhitespace(bytes)
    guard position == bytes.byteCount else { throw error(bytes, "expected the end of the text, found \(found(bytes))") }
    return value
  }

  private func error(_ bytes: RawSpan, _ reason: String) -> JSONError {
    var line = 1
    for index in 0..<min(position, bytes.byteCount) where bytes.byte(index) == UInt8(ascii: "\n") { line += 1 }
    return JSONError(offset: position, line: line, reason: reason)
  }

  private func found(_ bytes: RawSpan) -> String {
    guard position < bytes.byteCount else { return "the end of the text" }
    let byte = bytes.byte(position)
    return (0x20..<0x7F).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
  }

  private mutating func skipWhitespace(_ bytes: RawSpan) {
    while position < bytes.byteCount {
      switch bytes.byte(position) {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func value(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
    skipWhitespace(bytes)
    guard position < bytes.byteCount else { throw error(bytes, "expected a value, found the end of the text") }
    switch bytes.byte(position) {
    case UInt8(ascii: "{"): return try object(bytes)
    case UInt8(ascii: "["): return try array(bytes)
    case UInt8(ascii: "\""): return .string(try string(bytes))
    case UInt8(ascii: "t"): return try literal(bytes, "true", .bool(true))
    case UInt8(ascii: "f"): return try literal(bytes, "false", .bool(false))
    case UInt8(ascii: "n"): return try literal(bytes, "null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(bytes)
    default: throw error(bytes, "expected a value, found \(found(bytes))")
    }
  }

  private mutating func literal(_ bytes: RawSpan, _ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = position + word.utf8CodeUnitCount
    guard end <= bytes.byteCount,
      (0..<word.utf8CodeUnitCount).allSatisfy({ bytes.byte(position + $0) == word.utf8Start[$0] })
    else { throw error(bytes, "expected '\(word)'") }
    position = end
    return value
  }

  private func tooLarge(_ bytes: RawSpan) -> JSONError {
    error(bytes, "more values than a text of this size may have: they take more than \(memory.limit) bytes of memory")
  }

  /// An empty list for the container that opens here, with room for its elements where they are many.
  private mutating func list<Element>(_ bytes: RawSpan, of type: Element.Type) throws(JSONError) -> [Element] {
    var list: [Element] = []
    let count = memory.count(at: position)
    if count > 0 {
      guard memory.allow(count * MemoryLayout<Element>.stride) else { throw tooLarge(bytes) }
      list.reserveCapacity(count)
    }
    return list
  }

  /// Adds an element, counting room that was not known of before.
  @inline(__always)
  private mutating func append<Element>(_ element: Element, to list: inout [Element], _ bytes: RawSpan) throws(JSONError) {
    let count = list.count, isFull = count == list.capacity
    list.append(element)
    guard !isFull || memory.allow((list.capacity - count) * MemoryLayout<Element>.stride) else { throw tooLarge(bytes) }
  }

  private mutating func enter(_ bytes: RawSpan) throws(JSONError) {
    depth += 1
    guard depth <= Self.maximumDepth else { throw error(bytes, "more than \(Self.maximumDepth) levels of nesting") }
    position += 1
  }

  private mutating func object(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
    var members = try list(bytes, of: JSONMember.self)
    try enter(bytes)
    defer { depth -= 1 }
    skipWhitespace(bytes)
    if position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipWhitespace(bytes)
      guard position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: "\"") else {
        throw error(bytes, "expected a key in quotes, found \(found(bytes))")
      }
      let key = try string(bytes)
      skipWhitespace(bytes)
      guard position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: ":") else {
        throw error(bytes, "expected ':', found \(found(bytes))")
      }
      position += 1
      try append(JSONMember(key: key, value: try value(bytes)), to: &members, bytes)
      if try closes(bytes, with: UInt8(ascii: "}")) { return .object(members) }
    }
  }

  private mutating func array(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
    var elements = try list(bytes, of: JSONValue.self)
    try enter(bytes)
    defer { depth -= 1 }
    skipWhitespace(bytes)
    if position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      try append(try value(bytes), to: &elements, bytes)
      if try closes(bytes, with: UInt8(ascii: "]")) { return .array(elements) }
    }
  }

  /// After an element: true at the closing bracket, false after a comma.
  private mutating func closes(_ bytes: RawSpan, with close: UInt8) throws(JSONError) -> Bool {
    skipWhitespace(bytes)
    guard position < bytes.byteCount, bytes.byte(position) == close || bytes.byte(position) == UInt8(ascii: ",") else {
      throw error(bytes, "expected ',' or '\(Character(UnicodeScalar(close)))', found \(found(bytes))")
    }
    let byte = bytes.byte(position)
    position += 1
    return byte == close
  }

  private mutating func number(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
    let start = position
    var isInteger = true
    if bytes.byte(position) == UInt8(ascii: "-") { position += 1 }
    let first = position
    try digits(bytes)
    if position - first > 1, bytes.byte(first) == UInt8(ascii: "0") {
      position = first
      throw error(bytes, "a number starts with 0")
    }
    if position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try digits(bytes)
    }
    if position < bytes.byteCount, bytes.byte(position) | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if position < bytes.byteCount, bytes.byte(position) == UInt8(ascii: "+") || bytes.byte(position) == UInt8(ascii: "-") {
        position += 1
      }
      try digits(bytes)
    }
    let text = String(decoding: (start..<position).map { bytes.byte($0) }, as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      position = start
      throw error(bytes, "the number does not fit a double")
    }
    return .number(value)
  }

  private mutating func digits(_ bytes: RawSpan) throws(JSONError) {
    let start = position
    while position < bytes.byteCount, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes.byte(position)) { position += 1 }
    if position == start { throw error(bytes, "expected a digit, found \(found(bytes))") }
  }

  private mutating func string(_ bytes: RawSpan) throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.byteCount {
      let byte = bytes.byte(position)
      if byte == UInt8(ascii: "\"") {
        guard memory.allow(string: position - start) else { throw tooLarge(bytes) }
        let text = try utf8(bytes, start..<position)
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(bytes, start) }
      if byte < 0x20 { throw error(bytes, "a control character in a string") }
      position += 1
    }
    throw error(bytes, "a string without an end")
  }

  /// The slow path, from the first backslash on.
  private mutating func escapedString(_ bytes: RawSpan, _ start: Int) throws(JSONError) -> String {
    var text: [UInt8] = (start..<position).map { bytes.byte($0) }
    while position < bytes.byteCount {
      let byte = bytes.byte(position)
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard memory.allow(string: text.count) else { throw tooLarge(bytes) }
        guard let string = String(validating: text, as: UTF8.self) else { throw error(bytes, "a string that is not UTF-8") }
        return string
      case UInt8(ascii: "\\"):
        guard position < bytes.byteCount else { break }
        let escape = bytes.byte(position)
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"): text.append(contentsOf: String(Character(try escapedScalar(bytes))).utf8)
        default:
          position -= 1
          throw error(bytes, "an unknown escape, \(found(bytes)) after a backslash")
        }
      case 0..<0x20: throw error(bytes, "a control character in a string")
      default: text.append(byte)
      }
    }
    throw error(bytes, "a string without an end")
  }

  private mutating func escapedScalar(_ bytes: RawSpan) throws(JSONError) -> Unicode.Scalar {
    let replacement: Unicode.Scalar = "\u{FFFD}"
    let high = try fourHexDigits(bytes)
    if let scalar = Unicode.Scalar(high) { return scalar }
    guard high < 0xDC00, position + 1 < bytes.byteCount, bytes.byte(position) == UInt8(ascii: "\\"),
      bytes.byte(position + 1) == UInt8(ascii: "u")
    else { return replacement }
    let back = position
    position += 2
    let low = try fourHexDigits(bytes)
    guard (0xDC00..<0xE000).contains(low) else {
      position = back
      return replacement
    }
    return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) ?? replacement
  }

  private mutating func fourHexDigits(_ bytes: RawSpan) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.byteCount, let digit = Character(UnicodeScalar(bytes.byte(position))).hexDigitValue else {
        throw error(bytes, "expected four hexadecimal digits, found \(found(bytes))")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private func utf8(_ bytes: RawSpan, _ range: Range<Int>) throws(JSONError) -> String {
    let part = bytes.extracting(range)
    let string = part.withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    guard let string else { throw error(bytes, "a string that is not UTF-8") }
    return string
  }
}

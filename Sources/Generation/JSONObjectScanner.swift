/// Follows the text of a JSON object byte by byte: whether what has come can be the beginning of one, and where it ends.
///
/// Of numbers it knows the characters only, so `1.2.3` passes; whoever takes the object for whole parses it.
struct JSONObjectScanner {
  private enum Place {
    /// Before the object.
    case start
    /// A key, or the end of an object that has no members.
    case firstKey
    case key
    case colon
    case value
    /// A value, or the end of an array that has none.
    case firstElement
    /// Behind a value.
    case next
    case string
    case escape
    case hexDigits(Int)
    case number
    case literal(ArraySlice<UInt8>)
    /// Behind the object.
    case end
  }

  private var place = Place.start
  /// Whether the string that is open is a key.
  private var isKey = false
  /// What closes the objects and arrays that are open.
  private var closers: [UInt8] = []

  /// How many objects and arrays are open.
  var depth: Int { closers.count }
  /// Whether the object is whole.
  var isDone: Bool { if case .end = place { true } else { false } }

  /// Takes the next byte, unless it cannot come next: then it is false, and nothing has changed that matters.
  mutating func accept(_ byte: UInt8) -> Bool {
    switch place {
    case .string:
      switch byte {
      case UInt8(ascii: "\""): place = isKey ? .colon : .next
      case UInt8(ascii: "\\"): place = .escape
      case 0..<0x20: return false
      default: break
      }
    case .escape:
      if byte == UInt8(ascii: "u") {
        place = .hexDigits(4)
      } else {
        guard #""\/bfnrt"#.utf8.contains(byte) else { return false }
        place = .string
      }
    case .hexDigits(let left):
      guard Character(UnicodeScalar(byte)).hexDigitValue != nil else { return false }
      place = left == 1 ? .string : .hexDigits(left - 1)
    case .literal(let rest):
      guard rest.first == byte else { return false }
      place = rest.count == 1 ? .next : .literal(rest.dropFirst())
    case .number:
      if "0123456789+-.eE".utf8.contains(byte) { return true }
      place = .next
      return acceptOutside(byte)
    default: return acceptOutside(byte)
    }
    return true
  }

  /// A byte outside of strings, numbers and literals.
  private mutating func acceptOutside(_ byte: UInt8) -> Bool {
    if [0x20, 0x09, 0x0A, 0x0D].contains(byte) { return true }
    switch place {
    case .start:
      guard byte == UInt8(ascii: "{") else { return false }
      return acceptValue(byte)
    case .firstKey where byte == closers.last, .firstElement where byte == closers.last, .next where byte == closers.last:
      closers.removeLast()
      place = closers.isEmpty ? .end : .next
    case .firstKey, .key:
      guard byte == UInt8(ascii: "\"") else { return false }
      isKey = true
      place = .string
    case .colon:
      guard byte == UInt8(ascii: ":") else { return false }
      place = .value
    case .next:
      guard byte == UInt8(ascii: ",") else { return false }
      place = closers.last == UInt8(ascii: "}") ? .key : .value
    case .value, .firstElement: return acceptValue(byte)
    default: return false
    }
    return true
  }

  private mutating func acceptValue(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "{"):
      closers.append(UInt8(ascii: "}"))
      place = .firstKey
    case UInt8(ascii: "["):
      closers.append(UInt8(ascii: "]"))
      place = .firstElement
    case UInt8(ascii: "\""):
      isKey = false
      place = .string
    case UInt8(ascii: "t"): place = .literal(Array("rue".utf8)[...])
    case UInt8(ascii: "f"): place = .literal(Array("alse".utf8)[...])
    case UInt8(ascii: "n"): place = .literal(Array("ull".utf8)[...])
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): place = .number
    default: return false
    }
    return true
  }
}

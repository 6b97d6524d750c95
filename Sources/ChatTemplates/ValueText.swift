extension TemplateValue {
  /// The text of a string; nil for any other type.
  var text: String? {
    switch self {
    case .string(let text), .markup(let text): text
    default: nil
    }
  }

  /// A double as Python's `repr` writes it: the shortest digits, an exponent below 1e-4 and from 1e16 on.
  static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    // Swift's text has the same shortest digits, but chooses the exponent form elsewhere.
    var digits: [UInt8] = []
    var point: Int?
    var exponent = 0
    let text = Array("\(value.magnitude)".utf8)
    for (place, byte) in text.enumerated() {
      if byte == UInt8(ascii: ".") {
        point = digits.count
      } else if byte == UInt8(ascii: "e") {
        exponent = Int(String(decoding: text[(place + 1)...], as: UTF8.self)) ?? 0
        break
      } else {
        digits.append(byte)
      }
    }
    // The value is 0.digits × 10^scale.
    var scale = (point ?? digits.count) + exponent
    while digits.count > 1, digits.first == UInt8(ascii: "0") {
      digits.removeFirst()
      scale -= 1
    }
    while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
    if digits == [UInt8(ascii: "0")] { scale = 1 }
    func string(_ digits: some Sequence<UInt8>) -> String { String(decoding: Array(digits), as: UTF8.self) }
    let sign = value.sign == .minus ? "-" : ""
    if scale > 16 || scale < -3 {
      let power = scale - 1
      let fraction = digits.count > 1 ? "." + string(digits.dropFirst()) : ""
      let padding = power.magnitude < 10 ? "0" : ""
      return "\(sign)\(string(digits.prefix(1)))\(fraction)e\(power < 0 ? "-" : "+")\(padding)\(power.magnitude)"
    }
    if scale <= 0 { return sign + "0." + String(repeating: "0", count: -scale) + string(digits) }
    if digits.count <= scale { return sign + string(digits) + String(repeating: "0", count: scale - digits.count) + ".0" }
    return sign + string(digits.prefix(scale)) + "." + string(digits.dropFirst(scale))
  }

  /// A string as Python's `repr` writes it.
  static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar = text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
    var result = String.UnicodeScalarView()
    result.append(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case quote:
        result.append("\\")
        result.append(quote)
      default:
        if scalar.isPythonPrintable {
          result.append(scalar)
        } else {
          let (prefix, width) = scalar.value < 0x100 ? ("\\x", 2) : scalar.value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
          let digits = String(scalar.value, radix: 16)
          result.append(contentsOf: (prefix + String(repeating: "0", count: width - digits.count) + digits).unicodeScalars)
        }
      }
    }
    result.append(quote)
    return String(result)
  }
}

extension Renderer {
  /// Python's `str(value)`, which is also what `{{ value }}` prints.
  func string(_ value: TemplateValue) throws(TemplateError) -> String {
    switch value {
    case .string(let text), .markup(let text): return text
    case .undefined: return ""
    default:
      var text = ""
      try write(value, to: &text, depth: 0)
      return text
    }
  }

  /// Python's `repr(value)`.
  func representation(_ value: TemplateValue) throws(TemplateError) -> String {
    var text = ""
    try write(value, to: &text, depth: 0)
    return text
  }

  private func write(_ value: TemplateValue, to text: inout String, depth: Int) throws(TemplateError) {
    guard depth < RenderingLimits.valueDepth else {
      throw TemplateError.limit(line: line, reason: "values nested more than \(RenderingLimits.valueDepth) levels deep")
    }
    switch value {
    case .undefined: try append("Undefined", to: &text)
    case .none: try append("None", to: &text)
    case .bool(let value): try append(value ? "True" : "False", to: &text)
    case .integer(let value): try append(String(value), to: &text)
    case .double(let value): try append(TemplateValue.text(of: value), to: &text)
    case .string(let value): try append(TemplateValue.quoted(value), to: &text)
    case .markup(let value): try append("Markup(\(TemplateValue.quoted(value)))", to: &text)
    case .sequence(let sequence): try write(sequence, to: &text, depth: depth)
    case .object(let object):
      try append("{", to: &text)
      for (place, entry) in object.entries.enumerated() {
        if place > 0 { try append(", ", to: &text) }
        try write(entry.key, to: &text, depth: depth + 1)
        try append(": ", to: &text)
        try write(entry.value, to: &text, depth: depth + 1)
      }
      try append("}", to: &text)
    case .namespace(let namespace):
      try append("<Namespace {", to: &text)
      for (place, attribute) in namespace.attributes.enumerated() {
        if place > 0 { try append(", ", to: &text) }
        try append(TemplateValue.quoted(attribute.name) + ": ", to: &text)
        try write(attribute.value, to: &text, depth: depth + 1)
      }
      try append("}>", to: &text)
    case .callable(.macro(let macro)):
      try append("<Macro \(TemplateValue.quoted(macro.definition.name))>", to: &text)
    case .loop(let loop): try append("<LoopContext \(loop.index0 + 1)/\(try loop.length(self))>", to: &text)
    case .iterator, .callable:
      // Python prints an address here.
      throw .unsupported(line: line, construct: "printing a value of type \(value.typeName)")
    }
  }

  private func write(_ sequence: ValueSequence, to text: inout String, depth: Int) throws(TemplateError) {
    let brackets: (open: String, close: String)
    switch sequence.kind {
    case .list: brackets = ("[", "]")
    case .tuple: brackets = ("(", sequence.elements.count == 1 ? ",)" : ")")
    case .range: throw .unsupported(line: line, construct: "printing a range")
    case .keys, .values, .items: brackets = (TemplateValue.sequence(sequence).typeName + "([", "])")
    }
    try append(brackets.open, to: &text)
    for (place, element) in sequence.elements.enumerated() {
      if place > 0 { try append(", ", to: &text) }
      try write(element, to: &text, depth: depth + 1)
    }
    try append(brackets.close, to: &text)
  }
}

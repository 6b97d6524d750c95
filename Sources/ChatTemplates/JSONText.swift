import SwiftletJSON

extension Renderer {
  /// The filter `tojson`, which is Python's `json.dumps`.
  func json(_ value: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> String {
    let values = try bind(arguments, to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson")
    var style = JSONStyle()
    style.escapesNonASCII = values[0]?.isTrue ?? false
    style.sortsKeys = values[3]?.isTrue ?? false
    if let indent = values[1], !indent.isNone {
      if let text = indent.text {
        style.indent = text
      } else {
        guard let width = indent.integer else { throw failure("'tojson' needs an indent, found \(indent.typeName)") }
        try checkLength(max(width, 0))
        style.indent = String(repeating: " ", count: max(width, 0))
      }
      style.itemSeparator = ","
    }
    if let separators = values[2], !separators.isNone {
      let parts = try elements(of: separators)
      guard parts.count == 2, let item = parts[0].text, let key = parts[1].text else {
        throw failure("'tojson' needs two separators")
      }
      (style.itemSeparator, style.keySeparator) = (item, key)
    }
    var text = ""
    try write(value, style, level: 0, to: &text)
    return text
  }

  private func write(_ value: TemplateValue, _ style: JSONStyle, level: Int, to text: inout String) throws(TemplateError) {
    switch value {
    case .string(let string), .markup(let string): try append(style.quoted(string), to: &text)
    case .sequence(let sequence) where sequence.kind == .list || sequence.kind == .tuple:
      try writeElements(sequence.elements.count, "[", "]", style, level, to: &text) {
        (place: Int, text: inout String) throws(TemplateError) -> Void in
        try write(sequence.elements[place], style, level: level + 1, to: &text)
      }
    case .object(let object):
      var entries = object.entries
      if style.sortsKeys { entries = try sorted(entries, reverse: false) { (entry) throws(TemplateError) in entry.key } }
      let ordered = entries
      try writeElements(ordered.count, "{", "}", style, level, to: &text) {
        (place: Int, text: inout String) throws(TemplateError) -> Void in
        let key = ordered[place].key
        try append(style.quoted(try keyText(key)) + style.keySeparator, to: &text)
        try write(ordered[place].value, style, level: level + 1, to: &text)
      }
    default: try append(try scalarText(value), to: &text)
    }
  }

  private func keyText(_ key: TemplateValue) throws(TemplateError) -> String {
    if let text = key.text { return text }
    return try scalarText(key)
  }

  private func scalarText(_ value: TemplateValue) throws(TemplateError) -> String {
    switch value {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return String(value)
    case .double(let value):
      if value.isNaN { return "NaN" }
      return value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : TemplateValue.text(of: value)
    default:
      try requireDefined(value)
      throw failure("a value of type \(value.typeName) cannot be written as JSON")
    }
  }

  private func writeElements(
    _ count: Int, _ open: String, _ close: String, _ style: JSONStyle, _ level: Int, to text: inout String,
    _ writeElement: (Int, inout String) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    try append(open, to: &text)
    for place in 0..<count {
      if place > 0 { try append(style.itemSeparator, to: &text) }
      try startLine(style, level + 1, to: &text)
      try writeElement(place, &text)
    }
    if count > 0 { try startLine(style, level, to: &text) }
    try append(close, to: &text)
  }

  private func startLine(_ style: JSONStyle, _ level: Int, to text: inout String) throws(TemplateError) {
    guard let indent = style.indent else { return }
    try append("\n", to: &text)
    for _ in 0..<level { try append(indent, to: &text) }
  }
}

private struct JSONStyle {
  var indent: String?
  var itemSeparator = ", "
  var keySeparator = ": "
  var escapesNonASCII = false
  var sortsKeys = false

  func quoted(_ string: String) -> String {
    var text = ""
    JSONValue.quote(string, into: &text, escapingNonASCII: escapesNonASCII)
    return text
  }
}

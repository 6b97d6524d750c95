internal import SwiftletJSON

/// Arguments of a call in the markup of DeepSeek-V3.2 (`encoding_dsv32.py`), which is no JSON: a line for each,
///
///     <｜DSML｜parameter name="NAME" string="true">TEXT</｜DSML｜parameter>
///
/// Strings stand as they are, without quotes and escapes; other values are JSON, with `string="false"`.
extension SchemaCompiler {
  /// How a value is written. A set of schemas has one beside it as a further member, whose pointer it is.
  enum ValueForm: String, CaseIterable {
    /// The arguments of a call: an object, of which there are only the members.
    case parameters
    /// The text of an argument that is a string.
    case text
    /// The JSON of an argument that is no string, or one that cannot be counted as a text.
    case value

    var member: Member { Member(pointer: rawValue) }
  }

  /// Ends the text of an argument; nothing in it may be taken for a mark.
  private static let marker = "｜DSML｜"
  private static let end = "</｜DSML｜parameter>"
  static let parameterBegin = "<｜DSML｜parameter name=\""
  static let parameterMiddle = "\" string=\""

  /// The value of an argument, from `true` or `false` to the mark behind it.
  func argument(_ members: [Member]) throws(SchemaError) -> Int {
    let end = try add(.text(Self.end), [], "type")
    let text = rules.add(
      .sequence([try add(.text("true\">"), [], "type"), try rule(for: members + [ValueForm.text.member]), end]))
    let value = rules.add(
      .sequence([try add(.text("false\">"), [], "type"), try rule(for: members + [ValueForm.value.member]), end]))
    return rules.add(.choice([text, value]))
  }

  /// The names that further arguments may have, of the JSON strings that are their names.
  func parameterNames(_ names: ByteAutomaton, _ parts: [Part]) throws(SchemaError) -> ByteAutomaton {
    try automaton(parts, "additionalProperties") { () throws(ByteAutomaton.TooLarge) in
      // Nothing that ends a name, or an attribute of the markup.
      let plain = ByteExpression.choice([.utf8(0x20...0x21), .utf8(0x23...0x3B), .utf8(0x3F...0xFF5B), .utf8(0xFF5D...0x10FFFF)])
      var result = try names.unquoted().intersection(ByteAutomaton(.repetition(plain, minimum: 1, maximum: nil)))
      for byte in Self.parameterBegin.utf8.reversed() { result = try result.prefixed(with: byte) }
      return result
    }
  }

  /// Strings, as they are.
  func texts(_ parts: [Part]) throws(SchemaError) -> [Int] {
    let strings: ByteAutomaton
    if let values = try enumeration(of: parts) {
      let listed = values.filter { $0.string != nil }
      guard let index = try enumerated(listed, types: [.string], parts).first, case .automaton(let automaton) = rules.rules[index]
      else { return [] }
      strings = automaton
    } else {
      guard try types(of: parts).contains(.string), try !isCountedAsJSON(parts) else { return [] }
      let language = try stringLanguage(parts)
      if let maximum = language.maximum, maximum < language.minimum { return [] }
      strings = try canonicalStrings(parts)
    }
    let texts = try automaton(parts, "type") { () throws(ByteAutomaton.TooLarge) in
      let anything = ByteExpression.repetition(.bytes(0x00...0xFF), minimum: 0, maximum: nil)
      return try strings.unquoted().subtracting(ByteAutomaton(.sequence([anything, .text(Self.marker), anything])))
    }
    return [rules.add(.automaton(texts))]
  }

  /// Whether strings are so long that only those of JSON are counted.
  func isCountedAsJSON(_ parts: [Part]) throws(SchemaError) -> Bool {
    let language = try stringLanguage(parts)
    return language.automaton == nil && max(language.minimum, language.maximum ?? 0) > Self.countedLength
  }
}

internal import SwiftletJSON

/// Reads the `pre_tokenizer` of a tokenizer.json.
struct PreTokenizerJSONReader {
  let source: String

  private static let field = "pre_tokenizer"
  /// Each runs over the whole text; the most that a tokenizer is known to have is seven.
  private static let maximumSteps = 16

  /// The pre-tokenizer, and whether a space is put before a text that has none.
  func read(_ value: JSONValue?) throws(TokenizerError) -> (PreTokenizer, addsPrefixSpace: Bool) {
    let parts = try flatten(value)
    guard parts.count <= Self.maximumSteps else {
      throw unsupported("\(parts.count) steps, expected at most \(Self.maximumSteps)")
    }
    var steps: [SplitStep] = []
    var addsPrefixSpace = false
    for (index, part) in parts.enumerated() {
      let fields = TokenizerFields(value: part, source: source, prefix: Self.field + ".")
      switch try fields.text("type") {
      case "ByteLevel":
        guard index == parts.count - 1 else { throw unsupported("steps after ByteLevel") }
        addsPrefixSpace = try fields.flag("add_prefix_space", default: true)
        if addsPrefixSpace, index > 0 { throw unsupported("add_prefix_space after other steps") }
        if try fields.flag("use_regex", default: true) { steps.append(try step(KnownPatterns.gpt2)) }
      case "Digits":
        let isIndividual = try fields.flag("individual_digits")
        steps.append(try step(KnownPatterns.number, isIndividual ? .isolated : .contiguous))
      case "Punctuation": steps.append(try step(#"[\p{P}!-/:-@\[-`{-~]"#, try behavior(fields, default: .isolated)))
      case "Split": steps.append(try split(fields))
      case let type: throw unsupported("the step \(TokenizerError.quote(type ?? "nothing"))")
      }
    }
    guard parts.last?["type"]?.string == "ByteLevel" else { throw unsupported("a pre-tokenizer without ByteLevel") }
    return (KnownPatterns.scanner(for: steps) ?? .pipeline(SplitPipeline(steps: steps)), addsPrefixSpace)
  }

  private func flatten(_ value: JSONValue?) throws(TokenizerError) -> [JSONValue] {
    guard let value, !value.isNull else { return [] }
    guard value["type"]?.string == "Sequence" else { return [value] }
    guard let steps = value["pretokenizers"]?.elements else {
      throw TokenizerError(.malformed, source: source, field: "\(Self.field).pretokenizers", reason: "missing, or no array")
    }
    var flat: [JSONValue] = []
    for step in steps { flat += try flatten(step) }
    return flat
  }

  private func split(_ fields: TokenizerFields) throws(TokenizerError) -> SplitStep {
    let written = fields.value["pattern"]
    let pattern: String
    if let expression = written?["Regex"]?.string {
      pattern = expression
    } else if let literal = written?["String"]?.string {
      pattern = literal.unicodeScalars.map { "\\x{\(String($0.value, radix: 16))}" }.joined()
    } else {
      throw TokenizerError(.malformed, source: source, field: "\(Self.field).pattern", reason: "expected Regex or String")
    }
    return try step(pattern, try behavior(fields, default: nil), isInverted: try fields.flag("invert"))
  }

  private func behavior(_ fields: TokenizerFields, default: SplitBehavior?) throws(TokenizerError) -> SplitBehavior {
    let name = try fields.text("behavior")
    guard let behavior = name.map({ SplitBehavior(rawValue: $0) }) ?? `default` else {
      throw TokenizerError(
        .malformed, source: source, field: "\(Self.field).behavior",
        reason: "found \(TokenizerError.quote(name ?? "nothing")), expected Isolated, Removed, MergedWithPrevious, "
          + "MergedWithNext or Contiguous")
    }
    return behavior
  }

  private func step(
    _ pattern: String, _ behavior: SplitBehavior = .isolated, isInverted: Bool = false
  ) throws(TokenizerError) -> SplitStep {
    do throws(RegexError) {
      return try SplitStep(pattern, behavior, isInverted: isInverted)
    } catch {
      throw TokenizerError(
        .unsupported, source: source, field: Self.field,
        reason: "the pattern \(TokenizerError.quote(pattern)), at scalar \(error.offset): \(error.reason)")
    }
  }

  private func unsupported(_ reason: String) -> TokenizerError {
    TokenizerError(.unsupported, source: source, field: Self.field, reason: "found \(reason)")
  }
}

internal import SwiftletJSON
internal import Yams

/// One value of a recipe, with its place for errors.
struct RecipeValue {
  let file: String
  /// With the keys it is under.
  let key: String
  let node: Node

  /// - Throws: `RecipeError` with the line where the text is no YAML.
  static func parse(_ text: String, file: String) throws(RecipeError) -> RecipeValue {
    let node: Node?
    do {
      node = try compose(yaml: text)
    } catch let error as YamlError {
      switch error {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
        throw RecipeError(file: file, line: mark.line, key: "", reason: "is no YAML: \(problem)")
      case .duplicatedKeysInMapping(let keys, let context):
        let names = keys.map { "\($0)" }.joined(separator: ", ")
        throw RecipeError(file: file, line: context.mark.line, key: names, reason: "is there more than once")
      default: throw RecipeError(file: file, key: "", reason: "is no YAML: \(error)")
      }
    } catch {
      throw RecipeError(file: file, key: "", reason: "is no YAML: \(error)")
    }
    guard let node else { throw RecipeError(file: file, key: "", reason: "is empty, expected a recipe") }
    var left = mostNodes
    guard isCounted(node, &left) else {
      throw RecipeError(file: file, key: "", reason: "has more than \(mostNodes) values, with those that aliases repeat")
    }
    return RecipeValue(file: file, key: "", node: node)
  }

  /// A few aliases of aliases stand for more values than memory holds.
  private static let mostNodes = 10_000

  private static func isCounted(_ node: Node, _ left: inout Int) -> Bool {
    left -= 1
    guard left >= 0 else { return false }
    for part in node.sequence.map(Array.init) ?? node.mapping?.map(\.value) ?? [] where !isCounted(part, &left) { return false }
    return true
  }

  func error(_ reason: String) -> RecipeError { RecipeError(file: file, line: node.mark?.line, key: key, reason: reason) }

  /// What is there, in a few words.
  var found: String {
    switch node {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "'\(scalar.string)'"
    case .mapping: "a group of keys"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }

  func wrong(_ expected: String) -> RecipeError { error("found \(found), expected \(expected)") }

  /// A key of this group.
  func path(_ name: String) -> String { key.isEmpty ? name : "\(key).\(name)" }

  // MARK: - Scalars

  /// As YAML 1.2 has it (core schema): `no` is a text, `1e-3` a number.
  private var json: JSONValue? {
    switch node {
    case .scalar(let scalar):
      guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
      switch scalar.string {
      case "", "~", "null", "Null", "NULL": return .null
      case "true", "True", "TRUE": return .bool(true)
      case "false", "False", "FALSE": return .bool(false)
      default: break
      }
      if let integer = Int(scalar.string) { return .integer(integer) }
      // Not what `Double` takes beside numbers: inf, nan, 0x1p3.
      if scalar.string.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }), let number = Double(scalar.string) {
        return .number(number)
      }
      return .string(scalar.string)
    default: return nil
    }
  }

  /// All that is below, as JSON; for the keys of config.json.
  func asJSON() throws(RecipeError) -> JSONValue {
    if let json { return json }
    if let mapping = node.mapping {
      var members: [JSONMember] = []
      for (name, value) in mapping {
        let field = try child(name, value)
        members.append(JSONMember(key: name.scalar?.string ?? "", value: try field.asJSON()))
      }
      return .object(members)
    }
    return .array(try elements().map { element throws(RecipeError) in try element.asJSON() })
  }

  var isNull: Bool { json?.isNull ?? false }

  func string() throws(RecipeError) -> String {
    guard let scalar = node.scalar, !scalar.string.isEmpty else { throw wrong("a text") }
    return scalar.string
  }

  func bool() throws(RecipeError) -> Bool {
    guard let value = json?.bool else { throw wrong("true or false") }
    return value
  }

  func integer(_ range: ClosedRange<Int>) throws(RecipeError) -> Int {
    guard let value = json?.integer, range.contains(value) else {
      throw wrong("a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func number(_ range: ClosedRange<Double>) throws(RecipeError) -> Double {
    guard let value = json?.double, range.contains(value) else {
      throw wrong("a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func choice<Choice: RawRepresentable & CaseIterable>(_ type: Choice.Type) throws(RecipeError) -> Choice
  where Choice.RawValue == String {
    guard let text = node.scalar?.string, let value = Choice(rawValue: text) else {
      throw wrong("one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return value
  }

  // MARK: - Lists and groups

  func elements() throws(RecipeError) -> [RecipeValue] {
    guard let sequence = node.sequence else { throw wrong("a list") }
    return sequence.enumerated().map { RecipeValue(file: file, key: "\(key)[\($0)]", node: $1) }
  }

  /// A text, or a list of them.
  func strings() throws(RecipeError) -> [String] {
    if node.scalar != nil { return [try string()] }
    let result = try elements().map { element throws(RecipeError) in try element.string() }
    if result.isEmpty { throw wrong("at least one text") }
    return result
  }

  private func child(_ name: Node, _ value: Node) throws(RecipeError) -> RecipeValue {
    guard let text = name.scalar?.string else {
      throw RecipeError(file: file, line: name.mark?.line, key: key, reason: "found a key that is no text")
    }
    return RecipeValue(file: file, key: path(text), node: value)
  }

  /// The values of a group of keys.
  /// - Throws: `RecipeError` naming the first key that is not among `names`.
  func fields(_ names: String...) throws(RecipeError) -> RecipeFields {
    guard let mapping = node.mapping else { throw wrong("a group of keys: \(names.joined(separator: ", "))") }
    var values: [String: RecipeValue] = [:]
    for (name, value) in mapping {
      let field = try child(name, value), text = name.scalar?.string ?? ""
      guard names.contains(text) else {
        throw RecipeError(
          file: file, line: name.mark?.line, key: field.key,
          reason: "there is no such key, expected one of \(names.joined(separator: ", "))")
      }
      values[text] = field
    }
    return RecipeFields(group: self, values: values)
  }

  /// Every scalar below with its key, in order.
  func flattened() -> [(key: String, value: String)] {
    if let mapping = node.mapping {
      return mapping.flatMap { name, value in
        RecipeValue(file: file, key: path(name.scalar?.string ?? ""), node: value).flattened()
      }
    }
    if let sequence = node.sequence {
      return sequence.enumerated().flatMap { RecipeValue(file: file, key: "\(key)[\($0)]", node: $1).flattened() }
    }
    return [(key, node.scalar?.string ?? "")]
  }
}

/// The values of a group of keys, all of which are allowed there.
struct RecipeFields {
  let group: RecipeValue
  let values: [String: RecipeValue]

  /// nil where the key is missing or has no value.
  subscript(name: String) -> RecipeValue? {
    guard let value = values[name], !value.isNull else { return nil }
    return value
  }

  func required(_ name: String) throws(RecipeError) -> RecipeValue {
    guard let value = self[name] else {
      throw RecipeError(
        file: group.file, line: group.key.isEmpty ? nil : group.node.mark?.line, key: group.path(name),
        reason: "is missing")
    }
    return value
  }

  func integer(_ name: String, _ range: ClosedRange<Int>, default value: Int) throws(RecipeError) -> Int {
    try self[name]?.integer(range) ?? value
  }

  func number(_ name: String, _ range: ClosedRange<Double>, default value: Double) throws(RecipeError) -> Double {
    try self[name]?.number(range) ?? value
  }

  func bool(_ name: String, default value: Bool) throws(RecipeError) -> Bool { try self[name]?.bool() ?? value }

  func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, default value: Choice) throws(RecipeError) -> Choice
  where Choice.RawValue == String {
    try self[name]?.choice(Choice.self) ?? value
  }
}

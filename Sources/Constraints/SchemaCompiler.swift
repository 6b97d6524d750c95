internal import SwiftletJSON

/// Turns a JSON Schema into rules.
///
/// A rule stands for a set of schemas that all apply to one value. `allOf` and `$ref` add to the set; `anyOf` and `oneOf` make a
/// choice of sets. Rules are found again by their set, which is what ends recursion.
final class SchemaCompiler {
  /// One schema of a set.
  struct Member: Hashable {
    var pointer: String
    /// Whether `$ref`, `allOf`, `anyOf` and `oneOf` are dealt with already.
    var isExpanded = false
  }

  /// A schema of a flattened set, all its keywords but those that name further schemas for the same value.
  struct Part {
    var pointer: String
    var keywords: [JSONMember]

    subscript(_ keyword: String) -> JSONValue? { keywords.last { $0.key.utf8.elementsEqual(keyword.utf8) }?.value }

    func error(_ keyword: String, _ reason: String) -> SchemaError {
      SchemaError(pointer: SchemaCompiler.pointer(pointer, keyword), keyword: keyword, reason: "\(keyword) \(reason)")
    }
  }

  enum ValueType: String, CaseIterable { case null, boolean, string, integer, number, array, object }

  private let document: JSONValue
  /// Whether it is of draft 4.
  private let isOld: Bool
  /// Its own address; nil where it has none.
  private let address: String?
  private var schemas: [String: JSONValue] = [:]
  private var anchors: [String: String] = [:]
  /// Places by the references to them.
  private var resolved: [String: String] = [:]
  /// A place where a schema within the document gives itself an address of its own.
  private var innerDocument: String?
  private var known: [[Member]: Int] = [:]
  private static let maximumDepth = 300
  /// Bytes.
  private static let longestReference = 10_000
  /// Keywords of a schema: each is looked for among all.
  private static let mostKeywords = 1000
  private var depth = 0
  private var budget: SchemaBudget
  var rules = RuleSet()

  /// - Parameter budget: what is left for the schema.
  init(_ document: JSONValue, _ budget: SchemaBudget) {
    self.document = document
    self.budget = budget
    isOld = document["$schema"]?.string?.contains("draft-04") ?? false
    address = (document["$id"] ?? document["id"])?.string
    schemas["#"] = document
    for form in ValueForm.allCases { schemas[form.rawValue] = .object([]) }
    var path: [String] = []
    findAnchors(document, &path)
  }

  /// - Parameter form: how values are written; nil for JSON.
  func compileRoot(_ form: ValueForm? = nil) throws(SchemaError) -> Int {
    try rule(for: [Member(pointer: "#")] + (form.map { [$0.member] } ?? []))
  }

  /// What is left for further schemas.
  var rest: SchemaBudget {
    var rest = budget
    rest.rules -= rules.rules.count
    return rest
  }

  /// The rule for values that all of the schemas allow.
  func rule(for members: [Member]) throws(SchemaError) -> Int {
    var unique: [Member] = []
    for member in members where !unique.contains(member) { unique.append(member) }
    if let index = known[unique] { return index }
    depth += 1
    defer { depth -= 1 }
    guard rules.rules.count < budget.rules, unique.count <= 64, depth <= Self.maximumDepth else {
      throw SchemaError(
        pointer: unique.first?.pointer ?? "#", keyword: "",
        reason: "the schema is too large: more than \(RuleSet.maximumRules) rules, with those of other tools, "
          + "or \(Self.maximumDepth) levels")
    }
    let index = rules.add(.choice([]))
    known[unique] = index
    guard let set = try flatten(unique) else { return index }
    if set.disjunctions.isEmpty {
      rules.replace(index, with: .choice(try alternatives(set.parts)))
      return index
    }
    let base = set.parts.map { Member(pointer: $0.pointer, isExpanded: true) }
    var combinations = [base]
    for disjunction in set.disjunctions {
      if disjunction.isExclusive { try checkDisjoint(disjunction, with: base) }
      combinations = combinations.flatMap { chosen in disjunction.branches.map { chosen + [Member(pointer: $0)] } }
      guard combinations.count <= 256 else {
        throw SchemaError(
          pointer: disjunction.pointer, keyword: "anyOf", reason: "several choices for one value have more than 256 combinations")
      }
    }
    var indices: [Int] = []
    for combination in combinations { indices.append(try rule(for: combination)) }
    rules.replace(index, with: .choice(indices))
    return index
  }

  struct Disjunction {
    var pointer: String
    var branches: [String]
    var isExclusive: Bool
  }

  /// All schemas that apply to a value, and the choices between further ones; nil when no value is allowed.
  func flatten(_ members: [Member]) throws(SchemaError) -> (parts: [Part], disjunctions: [Disjunction])? {
    var parts: [Part] = [], disjunctions: [Disjunction] = [], queue = members[...], seen: [String: Bool] = [:]
    var links: [String: [String]] = [:]
    while let member = queue.popFirst() {
      budget.visits -= 1
      guard budget.visits >= 0 else {
        throw SchemaError(
          pointer: member.pointer, keyword: "",
          reason: "the schema is too large: its choices and references, with those of other tools, make more than "
            + "\(SchemaBudget.visits) combinations")
      }
      if let isExpanded = seen[member.pointer] {
        // One of its own choices leads back to it: no value follows from that.
        let schema = schemas[member.pointer]
        if isExpanded, !member.isExpanded, schema?["anyOf"] != nil || schema?["oneOf"] != nil { return nil }
        continue
      }
      seen[member.pointer] = member.isExpanded
      guard let schema = schemas[member.pointer] else { continue }
      if let bool = schema.bool {
        if !bool { return nil }
        continue
      }
      guard let keywords = schema.members else {
        throw SchemaError(
          pointer: member.pointer, keyword: "", reason: "found \(schema.typeName), expected a schema: an object or a boolean")
      }
      let part = Part(pointer: member.pointer, keywords: keywords)
      try Self.checkKeywords(part)
      parts.append(part)
      if member.isExpanded { continue }
      var further = try subschemas("allOf", of: part)
      if let reference = part["$ref"] { further.append(try resolve(reference, part)) }
      links[member.pointer] = further
      queue.append(contentsOf: further.map { Member(pointer: $0) })
      let any = try subschemas("anyOf", of: part), one = try subschemas("oneOf", of: part)
      if !any.isEmpty {
        disjunctions.append(Disjunction(pointer: Self.pointer(part.pointer, "anyOf"), branches: any, isExclusive: false))
      }
      if !one.isEmpty {
        disjunctions.append(Disjunction(pointer: Self.pointer(part.pointer, "oneOf"), branches: one, isExclusive: one.count > 1))
      }
    }
    try checkAcyclic(links)
    return (parts, disjunctions)
  }

  /// Refuses schemas that apply to a value because they apply to it: validators do not end on them.
  private func checkAcyclic(_ links: [String: [String]]) throws(SchemaError) {
    // How many of a schema's further ones are not known to end, and whose further one it is (Kahn 1962).
    var open: [String: Int] = [:], sources: [String: [String]] = [:]
    for (pointer, further) in links {
      let targets = further.filter { links[$0] != nil }
      open[pointer] = targets.count
      for target in targets { sources[target, default: []].append(pointer) }
    }
    var leaves = open.filter { $0.value == 0 }.map(\.key)
    while let leaf = leaves.popLast() {
      open[leaf] = nil
      for source in sources[leaf] ?? [] {
        let count = (open[source] ?? 0) - 1
        open[source] = count
        if count == 0 { leaves.append(source) }
      }
    }
    guard let pointer = open.keys.min() else { return }
    throw SchemaError(pointer: pointer, keyword: "$ref", reason: "$ref and allOf lead back to the same schema for the same value")
  }

  // MARK: - Places

  /// Beyond ASCII as URI fragments have it (RFC 6901, section 6): texts that Swift takes for equal, such as é in one scalar and in two, are
  /// different names.
  static func pointer(_ parent: String, _ token: String) -> String {
    var escaped = ""
    for byte in token.utf8 {
      switch byte {
      case UInt8(ascii: "~"): escaped += "~0"
      case UInt8(ascii: "/"): escaped += "~1"
      case UInt8(ascii: "%"), 0x80...0xFF: escaped += "%" + String(byte, radix: 16, uppercase: true)
      default: escaped.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    return parent + "/" + escaped
  }

  /// Remembers a schema by its place.
  func place(_ schema: JSONValue, _ pointer: String) -> String {
    if schemas[pointer] == nil { schemas[pointer] = schema }
    return pointer
  }

  /// Whether the schema at a place allows nothing.
  func isFalse(_ pointer: String) -> Bool { schemas[pointer]?.bool == false }

  private func subschemas(_ keyword: String, of part: Part) throws(SchemaError) -> [String] {
    guard let value = part[keyword] else { return [] }
    guard let elements = value.elements, !elements.isEmpty else {
      throw part.error(keyword, "is \(value.typeName), expected an array of at least one schema")
    }
    let parent = Self.pointer(part.pointer, keyword)
    return elements.enumerated().map { place($1, Self.pointer(parent, String($0))) }
  }

  private func findAnchors(_ value: JSONValue, _ path: inout [String]) {
    // A place is put together only where it is needed: a long name above would be copied for each value below it.
    if let anchor = value["$anchor"]?.string ?? value["$dynamicAnchor"]?.string { note(anchor, at: path) }
    // Draft 6 and 7 write anchors as identifiers; draft 4 calls them id.
    if let id = (value["$id"] ?? (isOld ? value["id"] : nil))?.string {
      if id.utf8.first == UInt8(ascii: "#") {
        note(String(id.dropFirst()), at: path)
      } else if !path.isEmpty, innerDocument == nil {
        innerDocument = Self.pointer(to: path)
      }
    }
    for (index, element) in (value.elements ?? []).enumerated() {
      path.append(String(index))
      findAnchors(element, &path)
      path.removeLast()
    }
    for member in value.members ?? [] {
      path.append(member.key)
      findAnchors(member.value, &path)
      path.removeLast()
    }
  }

  /// Anchors at places with very long names, and of very many the last, are left out: what refers to one is refused.
  private func note(_ anchor: String, at path: [String]) {
    guard anchors.count < 10_000, path.reduce(0, { $0 + $1.utf8.count }) < Self.longestReference else { return }
    anchors[anchor] = Self.pointer(to: path)
  }

  private static func pointer(to path: [String]) -> String { path.reduce("#") { pointer($0, $1) } }

  private func resolve(_ reference: JSONValue, _ part: Part) throws(SchemaError) -> String {
    guard let text = reference.string else { throw part.error("$ref", "is \(reference.typeName), expected a string") }
    // It becomes a part of the places of all that is below.
    guard text.utf8.count <= Self.longestReference else {
      throw part.error("$ref", "is longer than \(Self.longestReference) bytes")
    }
    if let known = resolved[text] { return known }
    let place = try find(text, part)
    resolved[text] = place
    return place
  }

  private func find(_ reference: String, _ part: Part) throws(SchemaError) -> String {
    var text = reference
    if let address, !address.isEmpty, address.utf8.first != UInt8(ascii: "#") {
      let base = address.utf8.last == UInt8(ascii: "#") ? String(address.dropLast()) : address
      if text.hasPrefix(base) { text = String(text.dropFirst(base.utf8.count)) }
    }
    if let innerDocument {
      throw part.error(
        "$ref", "is not kept where a schema inside, \(innerDocument), has an $id of its own; use places in the whole document")
    }
    if text.isEmpty || text == "#" { return "#" }
    guard text.utf8.first == UInt8(ascii: "#") else {
      throw part.error(
        "$ref", "names another document, '\(text)': only places in the schema itself are looked up; put it into $defs")
    }
    guard let fragment = Self.percentDecoded(text.dropFirst()) else { throw part.error("$ref", "'\(text)' is not well-formed") }
    var target = "#", value = document
    if fragment.hasPrefix("/") {
      for token in fragment.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
        let name = Self.unescaped(token)
        let next =
          value.elements.flatMap { list in Int(name).flatMap { list.indices.contains($0) ? list[$0] : nil } } ?? value[name]
        guard let next else { throw part.error("$ref", "'\(text)' names a place that is not in the schema") }
        value = next
        target = Self.pointer(target, name)
      }
      return place(value, target)
    }
    guard let anchor = anchors[fragment] else { throw part.error("$ref", "'\(text)' names an anchor that is not in the schema") }
    return try find(anchor, part)
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = [], rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func unescaped(_ token: Substring) -> String {
    var bytes: [UInt8] = [], rest = Array(token.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "~"), let code = rest.first, code == UInt8(ascii: "0") || code == UInt8(ascii: "1") {
        bytes.append(code == UInt8(ascii: "0") ? UInt8(ascii: "~") : UInt8(ascii: "/"))
        rest = rest.dropFirst()
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: - Keywords

  /// Keywords whose meaning cannot be kept, and why.
  private static let refused: [String: String] = [
    "not": "is not kept: what is not allowed has no grammar in general",
    "if": "is not kept: values that do not match a schema have no grammar in general; write the cases with anyOf",
    "contains": "is not kept", "dependentSchemas": "is not kept; write the cases with anyOf",
    "dependencies": "is not kept; write the cases with anyOf",
    "dependentRequired": "is not kept; write the cases with anyOf",
    "unevaluatedItems": "is not kept; use items: false", "$recursiveRef": "is not kept; use $ref",
    "$dynamicRef": "is not kept; use $ref", "extends": "is not kept: it is of draft 3; use allOf",
    "disallow": "is not kept: it is of draft 3", "divisibleBy": "is not kept: it is of draft 3; use multipleOf",
  ]

  private static func checkKeywords(_ part: Part) throws(SchemaError) {
    guard part.keywords.count <= mostKeywords else {
      throw SchemaError(pointer: part.pointer, keyword: "", reason: "the schema has more than \(mostKeywords) keywords")
    }
    for member in part.keywords {
      guard let reason = refused[member.key] else { continue }
      // These say nothing.
      if member.key == "if", part["then"] == nil, part["else"] == nil { continue }
      if ["dependencies", "dependentRequired", "dependentSchemas"].contains(member.key), member.value.members?.isEmpty == true {
        continue
      }
      if member.key == "unevaluatedItems", member.value.bool == true { continue }
      throw part.error(member.key, reason)
    }
  }

  /// A count such as `minLength`, the largest or least of all parts'.
  func count(_ keyword: String, of parts: [Part], _ choose: (Int, Int) -> Int) throws(SchemaError) -> Int? {
    var result: Int?
    for part in parts {
      guard let value = part[keyword] else { continue }
      guard let count = value.integer, count >= 0 else { throw part.error(keyword, "is no natural number") }
      result = result.map { choose($0, count) } ?? count
    }
    return result
  }

  /// The types that all parts allow. Parts that name none but have keywords for a type mean that type.
  func types(of parts: [Part]) throws(SchemaError) -> Set<ValueType> {
    let declared = try declaredTypes(of: parts)
    if let declared { return declared }
    var meant = Set<ValueType>()
    for part in parts {
      for member in part.keywords {
        switch member.key {
        case "properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties",
          "propertyNames":
          meant.insert(.object)
        case "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems": meant.insert(.array)
        case "pattern", "minLength", "maxLength", "format": meant.insert(.string)
        case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf": meant.insert(.number)
        default: break
        }
      }
    }
    return meant.isEmpty ? Set(ValueType.allCases).subtracting([.integer]) : meant
  }

  /// The types that parts name; nil where none does.
  func declaredTypes(of parts: [Part]) throws(SchemaError) -> Set<ValueType>? {
    var result: Set<ValueType>?
    for part in parts {
      guard let value = part["type"] else { continue }
      var types = Set<ValueType>()
      for element in value.elements ?? [value] {
        guard let name = element.string, let type = ValueType(rawValue: name) else {
          if element.string == "any" { types.formUnion(ValueType.allCases); continue }
          throw part.error(
            "type", "is \(element.serialized()), expected one of \(ValueType.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        types.insert(type)
      }
      if part["nullable"]?.bool == true { types.insert(.null) }
      guard let earlier = result else {
        result = types
        continue
      }
      var common = earlier.intersection(types)
      // Integers are numbers.
      if earlier.contains(.number), types.contains(.integer) || earlier.contains(.integer), types.contains(.number) {
        common.insert(.integer)
      }
      if earlier.contains(.integer) && types.contains(.number) { common.insert(.integer) }
      result = common
    }
    if let types = result, types.contains(.number), types.contains(.integer) { result?.remove(.integer) }
    return result
  }

  /// What parts allow, by type.
  private func alternatives(_ all: [Part]) throws(SchemaError) -> [Int] {
    let form = all.lazy.compactMap { ValueForm(rawValue: $0.pointer) }.first
    let parts = all.filter { ValueForm(rawValue: $0.pointer) == nil }
    if form == .text { return try texts(parts) }
    var types = try types(of: parts)
    if form == .parameters {
      if let part = parts.first(where: { $0["enum"] != nil || $0["const"] != nil }) {
        throw part.error(
          part["enum"] != nil ? "enum" : "const", "is not kept for the arguments of a call; write their properties")
      }
      return types.contains(.object) ? [try object(parts, as: .parameters)] : []
    }
    if form == .value, types.contains(.string) {
      if try !isCountedAsJSON(parts) { types.remove(.string) }
    }
    if var values = try enumeration(of: parts) {
      if form == .value { values.removeAll { $0.string != nil } }
      return try enumerated(values, types: types, parts)
    }
    var result: [Int] = []
    for type in ValueType.allCases where types.contains(type) {
      switch type {
      case .null: result.append(try add(.text("null"), parts, "type"))
      case .boolean: result.append(try add(.choice([.text("true"), .text("false")]), parts, "type"))
      case .string: result.append(try string(parts))
      case .integer: result.append(try number(parts, isInteger: true))
      case .number: result.append(try number(parts, isInteger: false))
      case .array: result.append(try array(parts))
      case .object: result.append(try object(parts))
      }
    }
    return result
  }

  // MARK: - Automata

  /// Makes an automaton, or says which keyword asks for one that is too large.
  func automaton(
    _ parts: [Part], _ keyword: String, _ make: () throws(ByteAutomaton.TooLarge) -> ByteAutomaton
  ) throws(SchemaError) -> ByteAutomaton {
    do {
      let automaton = try make()
      budget.states -= automaton.stateCount
      budget.effort -= automaton.effort
      if budget.states < 0 || budget.effort < 0 { throw ByteAutomaton.TooLarge() }
      return automaton
    } catch {
      let part = parts.first { $0[keyword] != nil } ?? parts.first ?? Part(pointer: "#", keywords: [])
      throw part.error(
        keyword,
        "is too large: its automaton would have more than \(ByteAutomaton.maximumStates) states, or all of them, with those of other "
          + "tools, \(SchemaBudget.states), or \(SchemaBudget.effort) on the way"
      )
    }
  }

  func add(_ expression: ByteExpression, _ parts: [Part], _ keyword: String) throws(SchemaError) -> Int {
    rules.add(.automaton(try automaton(parts, keyword) { () throws(ByteAutomaton.TooLarge) in try ByteAutomaton(expression) }))
  }
}

internal import SwiftletJSON

/// Objects and arrays.
extension SchemaCompiler {
  // MARK: - Objects

  /// A part with its patterns of names.
  private struct NamedPart {
    var part: Part
    var patterns: [(automaton: ByteAutomaton, schema: String)] = []

    /// Whether it says which further names there may be.
    var isOpen: Bool {
      part["properties"] == nil && part["patternProperties"] == nil && part["required"] == nil
        && part["additionalProperties"] == nil
    }
  }

  /// How an object is written.
  enum ObjectForm {
    case json
    /// Arguments in the markup of DeepSeek-V3.2.
    case parameters

    fileprivate var open: ByteExpression { self == .json ? .sequence([.text("{"), JSONText.lineBreak]) : .empty }
    fileprivate var close: ByteExpression { self == .json ? .sequence([JSONText.lineBreak, .text("}")]) : .empty }
    fileprivate var separator: ByteExpression { self == .json ? .sequence([.text(","), JSONText.lineBreak]) : .text("\n") }
    /// Stands behind the name of a further member.
    fileprivate var colon: ByteExpression {
      self == .json ? .sequence([.text(":"), JSONText.optionalSpace]) : .text(SchemaCompiler.parameterMiddle)
    }

    /// A name with what stands around it.
    fileprivate func key(_ name: String) -> ByteExpression {
      switch self {
      case .json: .sequence([.text(JSONText.literal(name)), colon])
      case .parameters: .sequence([.text(SchemaCompiler.parameterBegin + name), colon])
      }
    }
  }

  func object(_ parts: [Part], as form: ObjectForm = .json) throws(SchemaError) -> Int {
    if parts.count > 1, let part = parts.first(where: { $0["unevaluatedProperties"].map { $0.bool != true } ?? false }) {
      throw part.error("unevaluatedProperties", "is kept in schemas that stand alone, without $ref, allOf, anyOf and oneOf")
    }
    var named: [NamedPart] = []
    for part in parts { named.append(try self.named(part)) }
    let nameLanguage = try names(parts)
    func isName(_ name: String) -> Bool { nameLanguage?.accepts(JSONText.literal(name).utf8) ?? true }

    var order: [String] = [], seen = Set<[UInt8]>(), required = Set<[UInt8]>()
    for part in parts {
      for member in try members("properties", of: part) where seen.insert(Array(member.key.utf8)).inserted {
        order.append(member.key)
      }
    }
    for part in parts {
      guard let list = part["required"] else { continue }
      // Draft 3 and some schemas write a boolean in the property.
      if list.bool != nil { continue }
      guard let names = list.elements else { throw part.error("required", "is \(list.typeName), expected an array of names") }
      for name in names {
        guard let name = name.string else { throw part.error("required", "has a name that is no string") }
        required.insert(Array(name.utf8))
        if seen.insert(Array(name.utf8)).inserted { order.append(name) }
      }
    }
    var rule = RuleSet.ObjectRule(
      separator: try add(form.separator, parts, "type"), colon: try add(form.colon, parts, "type"))
    rule.minimum = try count("minProperties", of: parts, max) ?? 0
    rule.maximum = try count("maxProperties", of: parts, min)
    for name in order {
      let isRequired = required.contains(Array(name.utf8))
      guard isName(name), let schemas = try schemas(named, name: name) else {
        if isRequired { return rules.add(.choice([])) }
        continue
      }
      let key = try add(form.key(name), parts, "properties")
      rule.properties.append(
        RuleSet.ObjectRule.Property(key: key, value: try value(schemas, form), isRequired: isRequired))
    }
    try addFurther(named, declared: order, nameLanguage, parts, form, to: &rule)
    let open = try add(form.open, parts, "type"), close = try add(form.close, parts, "type")
    return rules.add(.sequence([open, rules.add(.object(rule)), close]))
  }

  /// A member's value.
  private func value(_ schemas: [String], _ form: ObjectForm) throws(SchemaError) -> Int {
    let members = schemas.map { Member(pointer: $0) }
    return try form == .json ? rule(for: members) : argument(members)
  }

  private func members(_ keyword: String, of part: Part) throws(SchemaError) -> [JSONMember] {
    guard let value = part[keyword] else { return [] }
    guard let members = value.members else { throw part.error(keyword, "is \(value.typeName), expected an object") }
    // Each takes a rule, and is looked for among the others.
    guard members.count <= RuleSet.maximumRules else {
      throw part.error(keyword, "has more than \(RuleSet.maximumRules) members")
    }
    return members
  }

  private func named(_ part: Part) throws(SchemaError) -> NamedPart {
    var result = NamedPart(part: part)
    let parent = Self.pointer(part.pointer, "patternProperties")
    for member in try members("patternProperties", of: part) {
      let body = try patternBody(.string(member.key), part, keyword: "patternProperties")
      let automaton = try automaton([part], "patternProperties") { () throws(ByteAutomaton.TooLarge) in
        try ByteAutomaton(JSONText.quoted(body))
      }
      result.patterns.append((automaton, place(member.value, Self.pointer(parent, member.key))))
    }
    return result
  }

  /// The schemas for a member with this name; nil when there may be none.
  private func schemas(_ parts: [NamedPart], name: String) throws(SchemaError) -> [String]? {
    let literal = Array(JSONText.literal(name).utf8)
    var result: [String] = [], isEvaluated = false
    for named in parts {
      let part = named.part
      var own: [String] = []
      if let schema = try members("properties", of: part).last(where: { $0.key.utf8.elementsEqual(name.utf8) })?.value {
        own.append(place(schema, Self.pointer(Self.pointer(part.pointer, "properties"), name)))
      }
      own += named.patterns.filter { $0.automaton.accepts(literal) }.map(\.schema)
      if own.isEmpty, let schema = part["additionalProperties"] {
        own.append(place(schema, Self.pointer(part.pointer, "additionalProperties")))
      }
      if !own.isEmpty { isEvaluated = true }
      if own.contains(where: { isFalse($0) }) { return nil }
      result += own
    }
    if !isEvaluated { result += unevaluated(parts) }
    return result.contains { isFalse($0) } ? nil : result
  }

  private func unevaluated(_ parts: [NamedPart]) -> [String] {
    parts.compactMap { named in
      named.part["unevaluatedProperties"].map { place($0, Self.pointer(named.part.pointer, "unevaluatedProperties")) }
    }
  }

  /// Members beyond the declared ones: those whose names match one pattern, and those that match none.
  private func addFurther(
    _ parts: [NamedPart], declared: [String], _ nameLanguage: ByteAutomaton?, _ plain: [Part], _ form: ObjectForm,
    to rule: inout RuleSet.ObjectRule
  ) throws(SchemaError) {
    let patterns = parts.indices.flatMap { index in parts[index].patterns.map { (part: index, pattern: $0) } }
    guard patterns.count <= 32 else {
      throw parts[patterns[32].part].part.error("patternProperties", "has more than 32 patterns")
    }
    func language(matching chosen: Int?) throws(SchemaError) -> ByteAutomaton {
      try automaton(plain, chosen == nil ? "additionalProperties" : "patternProperties") { () throws(ByteAutomaton.TooLarge) in
        var result = try ByteAutomaton(.choice(declared.map { .text(JSONText.literal($0)) }))
        for (index, entry) in patterns.enumerated() where index != chosen { result = try result.union(entry.pattern.automaton) }
        var all = try ByteAutomaton(JSONText.canonicalString)
        if let chosen { all = patterns[chosen].pattern.automaton }
        result = try all.subtracting(result)
        if let nameLanguage { result = try result.intersection(nameLanguage) }
        return result
      }
    }
    func add(_ chosen: Int?) throws(SchemaError) {
      var schemas: [String] = [], isEvaluated = chosen != nil
      for (index, named) in parts.enumerated() {
        if let chosen, patterns[chosen].part == index {
          schemas.append(patterns[chosen].pattern.schema)
        } else if let schema = named.part["additionalProperties"] {
          isEvaluated = true
          schemas.append(place(schema, Self.pointer(named.part.pointer, "additionalProperties")))
        }
      }
      if !isEvaluated { schemas += unevaluated(parts) }
      if schemas.contains(where: { isFalse($0) }) { return }
      var names = try language(matching: chosen)
      if form == .parameters { names = try parameterNames(names, plain) }
      if names.isEmpty { return }
      let value = try self.value(schemas, form)
      rule.further.append((key: rules.add(.fresh(names)), value: value))
    }
    for index in patterns.indices { try add(index) }
    // Where a schema names its members and says nothing about others, there are none; they would be valid, but are not meant.
    let isAsked = parts.contains { $0.part["additionalProperties"].map { $0.bool != false } ?? false }
    if isAsked || parts.allSatisfy(\.isOpen) { try add(nil) }
  }

  /// What `propertyNames` leaves; nil for all names.
  private func names(_ parts: [Part]) throws(SchemaError) -> ByteAutomaton? {
    var members: [Member] = []
    for part in parts {
      guard let schema = part["propertyNames"] else { continue }
      members.append(Member(pointer: place(schema, Self.pointer(part.pointer, "propertyNames"))))
    }
    if members.isEmpty { return nil }
    guard let set = try flatten(members) else { return try? ByteAutomaton(.nothing) }
    // A name is a string: other types allow none.
    if let types = try declaredTypes(of: set.parts), !types.contains(.string) { return try? ByteAutomaton(.nothing) }
    guard set.disjunctions.isEmpty else {
      throw (parts.first { $0["propertyNames"] != nil } ?? set.parts[0]).error("propertyNames", "with anyOf or oneOf is not kept")
    }
    if let values = try enumeration(of: set.parts) {
      let texts = values.compactMap(\.string).map { JSONText.literal($0) }
      let listed = try automaton(parts, "propertyNames") { () throws(ByteAutomaton.TooLarge) in
        try ByteAutomaton(.choice(texts.map { .text($0) }))
      }
      let others = try canonicalStrings(set.parts)
      return try automaton(parts, "propertyNames") { () throws(ByteAutomaton.TooLarge) in try listed.intersection(others) }
    }
    return try canonicalStrings(set.parts)
  }

  // MARK: - Arrays

  func array(_ parts: [Part]) throws(SchemaError) -> Int {
    var rule = RuleSet.ListRule(separator: try add(.sequence([.text(","), JSONText.lineBreak]), parts, "type"))
    rule.minimum = try count("minItems", of: parts, max) ?? 0
    rule.maximum = try count("maxItems", of: parts, min)
    let longest = parts.map { Self.prefix(of: $0).count }.max() ?? 0
    guard longest <= 1000 else {
      throw (parts.first ?? Part(pointer: "#", keywords: [])).error("prefixItems", "has more than 1000 schemas")
    }
    if let unique = parts.first(where: { $0["uniqueItems"]?.bool == true }), rule.maximum ?? 2 > 1 {
      guard longest == 0 else { throw unique.error("uniqueItems", "is not kept beside a list of schemas") }
      rule.element = try uniqueElement(parts, unique)
    } else {
      for index in 0..<longest {
        guard let members = elements(parts, at: index), index < rule.maximum ?? .max else { break }
        rule.prefix.append(try self.rule(for: members))
      }
      let isAsked = longest == 0 || rule.minimum > longest || parts.contains { Self.rest(of: $0) != nil }
      if isAsked, rule.prefix.count == longest, let members = elements(parts, at: longest) {
        rule.element = try self.rule(for: members)
      }
    }
    if rule.element == nil { rule.maximum = min(rule.maximum ?? .max, rule.prefix.count) }
    if let maximum = rule.maximum, maximum < rule.minimum { return rules.add(.choice([])) }
    let open = try add(.sequence([.text("["), JSONText.lineBreak]), parts, "type")
    let close = try add(.sequence([JSONText.lineBreak, .text("]")]), parts, "type")
    return rules.add(.sequence([open, rules.add(.list(rule)), close]))
  }

  /// The schemas of the first elements, one each: `prefixItems`, before draft 2020-12 `items`.
  private static func prefix(of part: Part) -> (keyword: String, [JSONValue], count: Int) {
    let keyword = part["prefixItems"] != nil ? "prefixItems" : "items"
    let list = part[keyword]?.elements ?? []
    return (keyword, list, list.count)
  }

  /// The schema of the elements behind those.
  private static func rest(of part: Part) -> (keyword: String, schema: JSONValue)? {
    let keyword = part["items"]?.elements != nil ? "additionalItems" : "items"
    return part[keyword].map { (keyword, $0) }
  }

  /// The schemas of an element; nil when there may be none.
  private func elements(_ parts: [Part], at index: Int) -> [Member]? {
    var result: [Member] = []
    for part in parts {
      let (keyword, list, _) = Self.prefix(of: part)
      if index < list.count {
        result.append(Member(pointer: place(list[index], Self.pointer(Self.pointer(part.pointer, keyword), String(index)))))
      } else if let (keyword, schema) = Self.rest(of: part) {
        if schema.bool == false { return nil }
        result.append(Member(pointer: place(schema, Self.pointer(part.pointer, keyword))))
      }
    }
    return result
  }

  /// Elements that must differ: strings, or out of a list.
  private func uniqueElement(_ parts: [Part], _ unique: Part) throws(SchemaError) -> Int? {
    guard let members = elements(parts, at: 0) else { return nil }
    guard let set = try flatten(members) else { return nil }
    let refusal = unique.error("uniqueItems", "is kept for strings and for elements out of an enum, not for others")
    guard set.disjunctions.isEmpty else { throw refusal }
    if let values = try enumeration(of: set.parts) {
      var seen = Set<String>()
      let different = values.filter { seen.insert(Self.identity($0)).inserted }
      guard let index = try enumerated(different, types: try types(of: set.parts), set.parts).first,
        case .automaton(let automaton) = rules.rules[index]
      else { return nil }
      return rules.add(.fresh(automaton))
    }
    guard try types(of: set.parts) == [.string] else { throw refusal }
    return rules.add(.fresh(try canonicalStrings(set.parts)))
  }
}

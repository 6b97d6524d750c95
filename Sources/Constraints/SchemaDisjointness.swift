internal import SwiftletJSON

/// Whether values that a schema gives can be values of another. `oneOf` is kept where they cannot.
extension SchemaCompiler {
  func checkDisjoint(_ disjunction: Disjunction, with base: [Member]) throws(SchemaError) {
    let branches = disjunction.branches
    guard branches.count <= 100 else {
      throw SchemaError(pointer: disjunction.pointer, keyword: "oneOf", reason: "oneOf has more than 100 schemas; use anyOf")
    }
    for first in branches.indices {
      for second in branches.indices where first != second {
        let values = base + [Member(pointer: branches[first])], schema = [Member(pointer: branches[second])]
        guard try isDisjoint(values, from: schema, depth: 0) else {
          throw SchemaError(
            pointer: disjunction.pointer, keyword: "oneOf",
            reason:
              "oneOf is kept where no value can match two of its schemas, but \(first) and \(second) may overlap; use anyOf, "
              + "or give each a required property with a const of its own")
        }
      }
    }
  }

  /// Whether no value made for `made` matches `schema`.
  private func isDisjoint(_ made: [Member], from schema: [Member], depth: Int) throws(SchemaError) -> Bool {
    if depth > 4 { return false }
    guard let values = try flatten(made), let other = try flatten(schema) else { return true }
    // Choices within are looked at one by one.
    if let inner = values.disjunctions.first(where: { $0.branches.count <= 20 }) {
      let rest = values.parts.map { Member(pointer: $0.pointer, isExpanded: true) }
      var isApart = true
      for branch in inner.branches where isApart {
        isApart = try isDisjoint(rest + [Member(pointer: branch)], from: schema, depth: depth + 1)
      }
      if isApart { return true }
    }
    if let inner = other.disjunctions.first(where: { $0.branches.count <= 20 }) {
      let rest = other.parts.map { Member(pointer: $0.pointer, isExpanded: true) }
      var isApart = true
      for branch in inner.branches where isApart {
        isApart = try isDisjoint(made, from: rest + [Member(pointer: branch)], depth: depth + 1)
      }
      if isApart { return true }
    }
    let made = values.parts, schema = other.parts
    if let listed = try enumeration(of: made), let others = try enumeration(of: schema) {
      let known = Set(others.map(Self.identity))
      if !listed.contains(where: { known.contains(Self.identity($0)) }) { return true }
    }
    let types = try types(of: made), otherTypes = try declaredTypes(of: schema) ?? Set(ValueType.allCases)
    for type in ValueType.allCases {
      let isGiven = types.contains(type) || (type == .integer && types.contains(.number))
      let isTaken = otherTypes.contains(type) || (type == .integer && otherTypes.contains(.number))
      if !isGiven || !isTaken { continue }
      guard try isDisjoint(made, from: schema, as: type, depth) else { return false }
    }
    return true
  }

  private func isDisjoint(_ made: [Part], from schema: [Part], as type: ValueType, _ depth: Int) throws(SchemaError) -> Bool {
    func listed(_ parts: [Part]) throws(SchemaError) -> [JSONValue]? { try enumeration(of: parts) }
    switch type {
    case .null, .array: return false
    case .boolean:
      guard let values = try listed(made), let others = try listed(schema) else { return false }
      return !values.contains { value in others.contains { value.bool != nil && value.bool == $0.bool } }
    case .integer, .number:
      let (minimum, maximum) = try bounds(of: made), (otherMinimum, otherMaximum) = try bounds(of: schema)
      func isBelow(_ maximum: NumberBound?, _ minimum: NumberBound?) -> Bool {
        guard let maximum, let minimum else { return false }
        return maximum.value < minimum.value || (maximum.value == minimum.value && (maximum.isExclusive || minimum.isExclusive))
      }
      return isBelow(maximum, otherMinimum) || isBelow(otherMaximum, minimum)
    case .string:
      func language(_ parts: [Part], _ ignoringFormat: Bool) throws(SchemaError) -> ByteAutomaton {
        guard let values = try listed(parts) else { return try canonicalStrings(parts, ignoringFormat: ignoringFormat) }
        return try automaton(parts, "enum") { () throws(ByteAutomaton.TooLarge) in
          try ByteAutomaton(.choice(values.compactMap(\.string).map { .text(JSONText.literal($0)) }))
        }
      }
      let first = try language(made, false), second = try language(schema, true)
      return try automaton(made, "oneOf") { () throws(ByteAutomaton.TooLarge) in try first.intersection(second) }.isEmpty
    case .object: return try areObjectsDisjoint(made, from: schema, depth)
    }
  }

  private func areObjectsDisjoint(_ made: [Part], from schema: [Part], _ depth: Int) throws(SchemaError) -> Bool {
    func required(_ parts: [Part]) -> [String] { parts.flatMap { $0["required"]?.elements ?? [] }.compactMap(\.string) }
    func property(_ name: String, _ parts: [Part]) -> [Member] {
      parts.compactMap { part in
        part["properties"]?[name].map { Member(pointer: place($0, Self.pointer(Self.pointer(part.pointer, "properties"), name))) }
      }
    }
    func hasPatterns(_ part: Part) -> Bool { part["patternProperties"] != nil }
    let always = required(made)
    for name in always {
      // The other schema allows no such member.
      if schema.contains(where: {
        $0["additionalProperties"]?.bool == false && $0["properties"]?[name] == nil && !hasPatterns($0)
      }) {
        return true
      }
      let own = property(name, made), others = property(name, schema)
      if !own.isEmpty, !others.isEmpty, try isDisjoint(own, from: others, depth: depth + 1) { return true }
    }
    // The other schema wants a member that is never made: the names are known, and there are no further ones.
    let isClosed =
      made.contains { $0["properties"] != nil || $0["required"] != nil }
      && !made.contains { hasPatterns($0) || $0["additionalProperties"].map { $0.bool != false } ?? false }
    return isClosed && required(schema).contains { name in property(name, made).isEmpty && !always.contains(name) }
  }
}

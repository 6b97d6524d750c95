import SwiftletJSON

extension Renderer {
  /// A JSON value as a template sees it.
  func value(_ json: JSONValue) throws(TemplateError) -> TemplateValue { try value(json, depth: 0) }

  private func value(_ json: JSONValue, depth: Int) throws(TemplateError) -> TemplateValue {
    try checkDepth(depth)
    switch json {
    case .null: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .number(let value): return .double(value)
    case .string(let value): return .string(value)
    case .array(let elements):
      var values: [TemplateValue] = []
      values.reserveCapacity(elements.count)
      for element in elements { values.append(try value(element, depth: depth + 1)) }
      return try list(values)
    case .object(let members):
      var pairs: [(key: TemplateValue, value: TemplateValue)] = []
      pairs.reserveCapacity(members.count)
      for member in members { pairs.append((.string(member.key), try value(member.value, depth: depth + 1))) }
      return try object(pairs)
    }
  }
}

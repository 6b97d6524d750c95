public import SwiftletJSON

/// What an answer may be: fixed texts and values of JSON schemas, put together.
///
///     Grammar.sequence([.literal("<tool_call>\n"), .schema(call), .literal("\n</tool_call>")])
public indirect enum Grammar: Sendable, Hashable {
  /// This text.
  case literal(String)
  /// One after the other.
  case sequence([Grammar])
  /// One of them.
  case choice([Grammar])
  /// From `minimum` to `maximum` times, with the separator between two of them.
  case repetition(Grammar, separator: String, minimum: Int, maximum: Int)
  /// A JSON value of the schema.
  case schema(JSONSchema)

  /// Any JSON object.
  public static let anyObject = Grammar.schema(.anyObject)
}

extension Grammar: CustomStringConvertible {
  /// Tells grammars apart.
  public var description: String {
    switch self {
    case .literal(let text): JSONValue.string(text).serialized()
    case .sequence(let parts): "(" + parts.map(\.description).joined(separator: " ") + ")"
    case .choice(let parts): "(" + parts.map(\.description).joined(separator: " | ") + ")"
    case .repetition(let part, let separator, let minimum, let maximum):
      "\(part){\(minimum),\(maximum),\(JSONValue.string(separator).serialized())}"
    case .schema(let schema): (schema.form?.rawValue ?? "schema") + " " + schema.source
    }
  }
}

/// A JSON Schema that can be kept.
public struct JSONSchema: Sendable, Hashable {
  /// The schema as it was given, in one line.
  public let source: String
  /// How values are written; nil for JSON.
  fileprivate let form: SchemaCompiler.ValueForm?
  let rules: RuleSet
  let root: Int

  /// Reads a schema of draft 2020-12, or an earlier one from draft 4 on.
  /// - Throws: `SchemaError` naming the first keyword that cannot be kept.
  public init(_ schema: JSONValue) throws(SchemaError) {
    var budget = SchemaBudget()
    try self.init(schema, budget: &budget)
  }

  /// Reads one of several schemas.
  /// - Parameter budget: what is left for this one and those that follow.
  /// - Throws: `SchemaError` naming the first keyword that cannot be kept.
  public init(_ schema: JSONValue, budget: inout SchemaBudget) throws(SchemaError) {
    try self.init(schema, nil, &budget)
  }

  /// Reads the schema of a function's parameters, for calls in the markup of DeepSeek-V3.2: of an object there are the lines of its
  /// members.
  /// - Parameter budget: what is left for this one and those that follow.
  /// - Throws: `SchemaError` naming the first keyword that cannot be kept.
  public init(parameters schema: JSONValue, budget: inout SchemaBudget) throws(SchemaError) {
    try self.init(schema, .parameters, &budget)
  }

  private init(_ schema: JSONValue, _ form: SchemaCompiler.ValueForm?, _ budget: inout SchemaBudget) throws(SchemaError) {
    source = schema.serialized()
    self.form = form
    let compiler = SchemaCompiler(schema, budget)
    root = try compiler.compileRoot(form)
    rules = compiler.rules
    budget = compiler.rest
  }

  /// Any JSON object.
  public static let anyObject = JSONSchema(anyObject: ["type": "object"])

  private init(anyObject schema: JSONValue) {
    source = schema.serialized()
    form = nil
    let compiler = SchemaCompiler(schema, SchemaBudget())
    root = (try? compiler.compileRoot()) ?? 0
    rules = compiler.rules
  }

  public static func == (first: JSONSchema, second: JSONSchema) -> Bool {
    first.source == second.source && first.form == second.form
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

/// What may be spent on schemas: those of one request have it together, so that many that are hard take no more than one.
public struct SchemaBudget: Sendable {
  /// Of all automata.
  static let states = 300_000
  /// The same before they were made small: patterns can have very many states of which few are left.
  static let effort = 1_000_000
  /// How often schemas are looked at: choices within choices, and references to large parts, multiply.
  static let visits = 500_000

  var states = Self.states
  var effort = Self.effort
  var visits = Self.visits
  var rules = RuleSet.maximumRules

  public init() {}
}

/// A schema that cannot be kept, or is none.
public struct SchemaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Where the keyword stands, as a JSON pointer in a URI fragment: `#/properties/name/pattern`.
  public let pointer: String
  public let keyword: String
  public let reason: String

  public var description: String { "JSON schema, \(pointer): \(reason)" }
}

/// Grammar rules by index; the form in which schemas and grammars meet vocabularies.
struct RuleSet: Sendable {
  enum Rule: Sendable {
    /// A text of a regular language.
    case automaton(ByteAutomaton)
    /// A text of a regular language that was not used yet in the object or list it stands in.
    case fresh(ByteAutomaton)
    /// A JSON string of so many characters.
    case string(minimum: Int, maximum: Int?)
    case sequence([Int])
    case choice([Int])
    case object(ObjectRule)
    case list(ListRule)
  }

  /// The members of an object, without its braces: declared ones in order, then further ones.
  struct ObjectRule: Sendable {
    struct Property: Sendable {
      /// The name with quotes and colon.
      var key: Int
      var value: Int
      var isRequired: Bool
    }
    var properties: [Property] = []
    /// Names are `fresh` rules, without a colon.
    var further: [(key: Int, value: Int)] = []
    var separator: Int
    var colon: Int
    var minimum = 0
    var maximum: Int?
  }

  /// The elements of a list, without its brackets.
  struct ListRule: Sendable {
    var prefix: [Int] = []
    /// nil: nothing behind the prefix.
    var element: Int?
    var separator: Int
    var minimum = 0
    var maximum: Int?
  }

  static let maximumRules = 20_000
  private(set) var rules: [Rule] = []
  private var known: [ByteAutomaton: Int] = [:]

  mutating func add(_ rule: Rule) -> Int {
    if case .automaton(let automaton) = rule {
      if let index = known[automaton] { return index }
      known[automaton] = rules.count
    }
    rules.append(rule)
    return rules.count - 1
  }

  mutating func replace(_ index: Int, with rule: Rule) { rules[index] = rule }

  /// Adds the rules of another set and returns what to add to its indices.
  mutating func append(_ other: RuleSet) -> Int {
    let offset = rules.count
    func moved(_ index: Int) -> Int { index + offset }
    for rule in other.rules {
      switch rule {
      case .automaton, .fresh, .string: rules.append(rule)
      case .sequence(let parts): rules.append(.sequence(parts.map(moved)))
      case .choice(let parts): rules.append(.choice(parts.map(moved)))
      case .object(var object):
        for index in object.properties.indices {
          object.properties[index].key += offset
          object.properties[index].value += offset
        }
        object.further = object.further.map { (moved($0.key), moved($0.value)) }
        object.separator += offset
        object.colon += offset
        rules.append(.object(object))
      case .list(var list):
        list.prefix = list.prefix.map(moved)
        list.element = list.element.map(moved)
        list.separator += offset
        rules.append(.list(list))
      }
    }
    return offset
  }

  /// Adds a grammar and returns the index of its rule.
  mutating func add(grammar: Grammar) throws(ByteAutomaton.TooLarge) -> Int {
    switch grammar {
    case .literal(let text): return add(.automaton(try ByteAutomaton(.text(text))))
    case .sequence(let parts):
      var indices: [Int] = []
      for part in parts { indices.append(try add(grammar: part)) }
      return add(.sequence(indices))
    case .choice(let parts):
      var indices: [Int] = []
      for part in parts { indices.append(try add(grammar: part)) }
      return add(.choice(indices))
    case .repetition(let part, let separator, let minimum, let maximum):
      let element = try add(grammar: part), between = try add(grammar: .literal(separator))
      return add(.list(ListRule(element: element, separator: between, minimum: minimum, maximum: maximum)))
    case .schema(let schema): return append(schema.rules) + schema.root
    }
  }
}

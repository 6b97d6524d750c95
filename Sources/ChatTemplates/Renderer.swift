import SwiftletJSON

/// One rendering of a template: its output so far, and what it has used of the limits.
final class Renderer {
  let time: TemplateTime
  /// The line being rendered, for errors.
  var line = 1
  /// How deep evaluations are nested right now.
  private var depth = 0
  private let steps: Int
  private var remainingSteps: Int
  private var remainingBytes = RenderingLimits.allocatedBytes
  private var output = ""
  private let names: [String]
  /// The variables and global functions, by symbol.
  private var context: [TemplateValue?]
  private var capturedScopes: [Scope] = []
  private var namespaces: [ValueNamespace] = []

  /// For every block of the template the names that it assigns before it reads them.
  private let hiddenNames: [[Int]]

  init(
    names: [String], hiddenNames: [[Int]], variables: [JSONMember], time: TemplateTime, steps: Int
  ) throws(TemplateError) {
    self.steps = steps
    remainingSteps = steps
    self.names = names
    self.hiddenNames = hiddenNames
    self.time = time
    context = Array(repeating: nil, count: names.count)
    for (symbol, name) in names.enumerated() {
      if let variable = variables.last(where: { $0.key.hasSameScalars(as: name) }) {
        context[symbol] = try value(variable.value)
      } else if let function = GlobalFunction(rawValue: name) {
        context[symbol] = .callable(.function(function))
      }
    }
  }

  func render(_ template: Block) throws(TemplateError) -> String {
    // Macros know their scope, which knows them, and namespaces may hold each other.
    defer {
      for scope in capturedScopes { scope.clear() }
      for namespace in namespaces { namespace.attributes.removeAll() }
    }
    _ = try execute(template.statements, newScope(for: template.frame, in: nil))
    return output
  }

  func failure(_ reason: String) -> TemplateError { .runtime(line: line, reason: reason) }

  // MARK: Limits

  func spend(_ count: Int) throws(TemplateError) {
    remainingSteps -= count
    guard remainingSteps >= 0 else {
      throw .limit(line: line, reason: "more than \(steps) steps")
    }
  }

  /// Reading many bytes is work too.
  func spend(bytes: Int) throws(TemplateError) { try spend(bytes >> 4) }

  /// Filters and methods may read all of the texts that they are given.
  func spend(on arguments: Arguments) throws(TemplateError) {
    for value in arguments.positional + arguments.named.map(\.value) {
      // A search makes a table of what it looks for.
      if let text = value.text { try spend(text.utf8.count >> 2) }
    }
  }

  /// Whoever looks for a key reads all of it.
  func spend(key: TemplateValue) throws(TemplateError) {
    try spend(1)
    switch key {
    case .string(let text), .markup(let text): try spend(bytes: text.utf8.count)
    case .sequence(let tuple): for element in tuple.elements { try spend(key: element) }
    default: break
    }
  }

  func allocate(_ bytes: Int) throws(TemplateError) {
    try spend(bytes: bytes)
    remainingBytes -= bytes
    guard remainingBytes >= 0 else {
      throw .limit(line: line, reason: "more than \(RenderingLimits.allocatedBytes) bytes of values")
    }
  }

  func nested<Result>(_ evaluate: () throws(TemplateError) -> Result) throws(TemplateError) -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= RenderingLimits.evaluationDepth else {
      throw .limit(line: line, reason: "evaluations nested more than \(RenderingLimits.evaluationDepth) levels deep")
    }
    return try evaluate()
  }

  /// Counts a new string against the limits.
  func counted(_ text: String) throws(TemplateError) -> String {
    try checkLength(text.utf8.count)
    try allocate(text.utf8.count)
    return text
  }

  func checkLength(_ bytes: Int) throws(TemplateError) {
    guard bytes <= RenderingLimits.textBytes else {
      throw .limit(line: line, reason: "a text of more than \(RenderingLimits.textBytes) bytes")
    }
  }

  func append(_ piece: String, to text: inout String) throws(TemplateError) {
    try checkLength(text.utf8.count + piece.utf8.count)
    try spend(1)
    try allocate(piece.utf8.count)
    text += piece
  }

  // MARK: Values

  func sequence(_ kind: ValueSequence.Kind, _ elements: [TemplateValue]) throws(TemplateError) -> TemplateValue {
    try allocate(elements.count * MemoryLayout<TemplateValue>.stride)
    let sequence = ValueSequence(kind, elements)
    try checkDepth(sequence.depth)
    return .sequence(sequence)
  }

  func list(_ elements: [TemplateValue]) throws(TemplateError) -> TemplateValue { try sequence(.list, elements) }

  func object(_ pairs: [(key: TemplateValue, value: TemplateValue)]) throws(TemplateError) -> TemplateValue {
    try allocate(pairs.count * 4 * MemoryLayout<TemplateValue>.stride)
    for pair in pairs { try spend(key: pair.key) }
    let object = ValueObject(pairs)
    try checkDepth(object.depth)
    return .object(object)
  }

  func namespace() throws(TemplateError) -> ValueNamespace {
    try allocate(256)
    let namespace = ValueNamespace()
    namespaces.append(namespace)
    return namespace
  }

  func macro(_ definition: MacroDefinition, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    try allocate(512)
    capturedScopes.append(scope)
    return .callable(.macro(MacroValue(definition, scope: scope)))
  }

  func iterator(
    depth: Int, _ advance: @escaping (Renderer) throws(TemplateError) -> TemplateValue?
  ) throws(TemplateError) -> TemplateValue {
    try allocate(256)
    try checkDepth(depth + 1)
    return .iterator(ValueIterator(depth: depth + 1, advance))
  }

  func checkDepth(_ depth: Int) throws(TemplateError) {
    guard depth <= RenderingLimits.valueDepth else {
      throw .limit(line: line, reason: "values nested more than \(RenderingLimits.valueDepth) levels deep")
    }
  }

  func requireDefined(_ value: TemplateValue) throws(TemplateError) {
    if case .undefined(let reason) = value { throw failure(reason) }
  }

  func newScope(for frame: Int, in parent: Scope?) -> Scope { Scope(parent: parent, hiddenNames: hiddenNames[frame]) }

  func value(of symbol: Int, _ scope: Scope) throws(TemplateError) -> TemplateValue {
    var compared = 0
    let assigned = scope.value(of: symbol, &compared)
    let value = assigned ?? (scope.hides(symbol, &compared) ? nil : context[symbol])
    try spend(compared >> 4)
    return value ?? .undefined("'\(names[symbol])' is undefined")
  }

  func assign(_ value: TemplateValue, to symbol: Int, _ scope: Scope) throws(TemplateError) {
    var compared = 0
    scope.assign(value, to: symbol, &compared)
    try spend(compared >> 4)
  }

  // MARK: Output

  func emit(_ text: String) throws(TemplateError) { try append(text, to: &output) }

  /// What the statements print, as a string instead of output. `break` and `continue` pass through.
  func capture(_ body: [Statement], _ scope: Scope) throws(TemplateError) -> (text: String, flow: Flow) {
    var text = ""
    swap(&text, &output)
    let flow = try execute(body, scope)
    swap(&text, &output)
    return (text, flow)
  }
}

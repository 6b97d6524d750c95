/// A value of the small language.
enum ProgramValue: Sendable {
  case none
  case integer(Int)
  case boolean(Bool)
  /// The place of a list in memory: as in Python, two names may have the same one.
  case list(Int)

  var typeName: String {
    switch self {
    case .none: "None"
    case .integer: "a number"
    case .boolean: "a boolean"
    case .list: "a list"
    }
  }
}

/// Runs statements, with a bound on steps, depth, lists and output.
struct ProgramInterpreter {
  static let builtIn: Set<String> = ["abs", "len", "min", "max", "sum", "print", "range"]
  private static let deepest = 300
  /// In all lists together.
  private static let mostElements = 100_000
  private static let longestOutput = 1 << 16

  private enum Outcome {
    case next
    case leave
    case again
    case giveBack(ProgramValue)
  }

  private struct Function {
    var parameters: [String]
    var body: [ProgramStatement]
    var ownNames: Set<String>
  }

  /// The variables of a function that runs.
  private struct Frame {
    var values: [String: ProgramValue] = [:]
    var ownNames: Set<String>
  }

  private(set) var output = ""
  /// What was assigned and printed, in words; nil when nobody asks.
  private(set) var trace: [String]?
  private var globals: [String: ProgramValue] = [:]
  /// nil outside of functions.
  private var frame: Frame?
  private var functions: [String: Function] = [:]
  private var lists: [[Int]] = []
  private var elementCount = 0
  private var steps: Int
  private var depth = 0
  private var line = 1

  init(steps: Int, traces: Bool = false) {
    self.steps = steps
    trace = traces ? [] : nil
  }

  mutating func set(_ name: String, to value: ProgramValue) { globals[name] = value }

  mutating func run(_ statements: [ProgramStatement]) throws(ProgramError) {
    guard case .next = try execute(statements) else { throw error("return, break or continue outside of a function or loop") }
  }

  private func error(_ reason: String) -> ProgramError { ProgramError(line: line, reason: reason) }

  private mutating func step(_ count: Int = 1) throws(ProgramError) {
    steps -= count
    if steps < 0 { throw error("more steps than are allowed") }
  }

  private mutating func assign(_ name: String, _ value: ProgramValue) throws(ProgramError) {
    guard functions[name] == nil else { throw error("'\(name)' is a function already") }
    if frame == nil { globals[name] = value } else { frame?.values[name] = value }
    try note(value) { "\(name) is \($0)" }
  }

  /// Adds to the trace, where somebody asks, what happened to a value.
  private mutating func note(_ value: ProgramValue, _ event: (String) -> String) throws(ProgramError) {
    guard trace != nil else { return }
    var text = ""
    try write(value, to: &text, limit: Self.longestOutput)
    trace?.append(event(text))
  }

  private func value(of name: String) -> ProgramValue? {
    guard let frame else { return globals[name] }
    return frame.ownNames.contains(name) ? frame.values[name] : globals[name]
  }

  /// - Returns: its place.
  private mutating func newList(_ elements: [Int]) throws(ProgramError) -> Int {
    try hold(elements.count)
    lists.append(elements)
    return lists.count - 1
  }

  /// Adds the elements of a list to a list, which may be the same one.
  private mutating func extend(_ place: Int, by other: Int) throws(ProgramError) {
    let elements = lists[other]
    try hold(elements.count)
    lists[place] += elements
  }

  /// Counts elements that come into memory.
  private mutating func hold(_ count: Int) throws(ProgramError) {
    elementCount += count
    guard elementCount <= Self.mostElements else { throw error("lists of more than \(Self.mostElements) numbers") }
  }

  /// Adds a value to a text as Python prints it.
  /// - Parameter limit: the most bytes of the whole text.
  /// - Throws: `ProgramError` at the first element too many, so that a text that is too long is never made.
  private func write(_ value: ProgramValue, to text: inout String, limit: Int) throws(ProgramError) {
    switch value {
    case .none: text += "None"
    case .integer(let value): text += "\(value)"
    case .boolean(let value): text += value ? "True" : "False"
    case .list(let place):
      text += "["
      for (index, element) in lists[place].enumerated() {
        text += index == 0 ? "\(element)" : ", \(element)"
        guard text.utf8.count <= limit else { throw tooMuchOutput }
      }
      text += "]"
    }
    guard text.utf8.count <= limit else { throw tooMuchOutput }
  }

  private var tooMuchOutput: ProgramError { error("more output than \(Self.longestOutput) bytes") }

  private mutating func execute(_ statements: [ProgramStatement]) throws(ProgramError) -> Outcome {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw error("nested too deep while it runs") }
    for statement in statements {
      line = statement.line
      try step()
      let outcome = try execute(statement)
      guard case .next = outcome else { return outcome }
    }
    return .next
  }

  private mutating func execute(_ statement: ProgramStatement) throws(ProgramError) -> Outcome {
    switch statement.kind {
    case .nothing: return .next
    case .leave: return .leave
    case .next: return .again
    case .giveBack(let value):
      guard let value else { return .giveBack(.none) }
      let result = try evaluate(value)
      try note(result) { "\($0) is returned" }
      return .giveBack(result)
    case .assign(let names, let values):
      var results: [ProgramValue] = []
      for value in values { results.append(try evaluate(value)) }
      for (name, result) in zip(names, results) { try assign(name, result) }
    case .assignElement(let name, let index, nil, let value):
      let element = try integer(value), place = try list(.variable(name))
      lists[place][try position(index, count: lists[place].count)] = element
      try note(.list(place)) { "\(name) is \($0)" }
    case .assignElement(let name, let index, let operation?, let value):
      let place = try list(.variable(name)), position = try position(index, count: lists[place].count)
      let old = lists[place][position], element = try integer(value)
      guard position < lists[place].count else { throw error("a list that has become shorter") }
      lists[place][position] = try arithmetic(operation, old, element)
      try note(.list(place)) { "\(name) is \($0)" }
    case .append(let name, let value):
      let place = try list(.variable(name)), element = try integer(value)
      try hold(1)
      lists[place].append(element)
      try note(.list(place)) { "\(name) is \($0)" }
    case .print(let values):
      var results: [ProgramValue] = []
      for value in values { results.append(try evaluate(value)) }
      // The line's end takes a byte too.
      let limit = Self.longestOutput - output.utf8.count - 1
      var text = ""
      for (index, value) in results.enumerated() {
        if case .list(let place) = value { try step(lists[place].count / 16) }
        if index > 0 { text += " " }
        try write(value, to: &text, limit: limit)
      }
      guard text.utf8.count <= limit else { throw tooMuchOutput }
      output += text + "\n"
      trace?.append("\(text) is printed")
    case .evaluate(let value): _ = try evaluate(value)
    case .choose(let cases, let otherwise):
      for (condition, body) in cases where try truth(condition) { return try execute(body) }
      return try execute(otherwise)
    case .loop(let condition, let body):
      while try truth(condition) {
        try step()
        switch try execute(body) {
        case .next, .again: continue
        case .leave: return .next
        case .giveBack(let value): return .giveBack(value)
        }
      }
    case .iterate(let name, let value, let body): return try iterate(name, over: try list(value), body)
    case .count(let name, let bounds, let body): return try count(name, bounds, body)
    case .define(let name, let parameters, let body):
      guard globals[name] == nil else { throw error("'\(name)' is a variable already") }
      let ownNames = ProgramStatement.assigned(body).union(parameters)
      functions[name] = Function(parameters: parameters, body: body, ownNames: ownNames)
    }
    return .next
  }

  private mutating func iterate(_ name: String, over place: Int, _ body: [ProgramStatement]) throws(ProgramError) -> Outcome {
    // A list that grows meanwhile takes longer, as in Python.
    var index = 0
    while index < lists[place].count {
      try assign(name, .integer(lists[place][index]))
      index += 1
      try step()
      switch try execute(body) {
      case .next, .again: continue
      case .leave: return .next
      case .giveBack(let value): return .giveBack(value)
      }
    }
    return .next
  }

  private mutating func count(
    _ name: String, _ bounds: [ProgramExpression], _ body: [ProgramStatement]
  ) throws(ProgramError) -> Outcome {
    var numbers: [Int] = []
    for bound in bounds { numbers.append(try integer(bound)) }
    let start = numbers.count > 1 ? numbers[0] : 0, end = numbers.count > 1 ? numbers[1] : numbers[0]
    let stride = numbers.count > 2 ? numbers[2] : 1
    guard stride != 0 else { throw error("range with a step of 0") }
    var value = start
    while stride > 0 ? value < end : value > end {
      try assign(name, .integer(value))
      try step()
      switch try execute(body) {
      case .next, .again: break
      case .leave: return .next
      case .giveBack(let value): return .giveBack(value)
      }
      let (next, overflow) = value.addingReportingOverflow(stride)
      if overflow { break }
      value = next
    }
    return .next
  }

  // MARK: Expressions

  private mutating func evaluate(_ expression: ProgramExpression) throws(ProgramError) -> ProgramValue {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw error("nested too deep while it runs") }
    try step()
    switch expression {
    case .integer(let value): return .integer(value)
    case .boolean(let value): return .boolean(value)
    case .variable(let name):
      guard let value = value(of: name) else { throw error("'\(name.prefix(40))' has no value") }
      return value
    case .list(let elements):
      var values: [Int] = []
      for element in elements { values.append(try integer(element)) }
      return .list(try newList(values))
    case .negative(let value): return .integer(try arithmetic("-", 0, try integer(value)))
    case .not(let value): return .boolean(!(try truth(value)))
    case .and(let left, let right): return .boolean(try boolean(left) ? try boolean(right) : false)
    case .or(let left, let right): return .boolean(try boolean(left) ? true : try boolean(right))
    case .binary(let symbol, let left, let right): return try binary(symbol, try evaluate(left), try evaluate(right))
    case .element(let list, let index):
      let place = try self.list(list), position = try position(index, count: lists[place].count)
      return .integer(lists[place][position])
    case .call(let name, let arguments):
      var values: [ProgramValue] = []
      for argument in arguments { values.append(try evaluate(argument)) }
      return try call(name, values)
    }
  }

  private mutating func integer(_ expression: ProgramExpression) throws(ProgramError) -> Int {
    let value = try evaluate(expression)
    guard case .integer(let number) = value else { throw error("found \(value.typeName), expected a number") }
    return number
  }

  private mutating func list(_ expression: ProgramExpression) throws(ProgramError) -> Int {
    let value = try evaluate(expression)
    guard case .list(let place) = value else { throw error("found \(value.typeName), expected a list") }
    return place
  }

  /// As Python tests a condition.
  private mutating func truth(_ expression: ProgramExpression) throws(ProgramError) -> Bool {
    switch try evaluate(expression) {
    case .none: false
    case .integer(let value): value != 0
    case .boolean(let value): value
    case .list(let place): !lists[place].isEmpty
    }
  }

  /// `and` and `or` of other values give one of them in Python: here only booleans are joined.
  private mutating func boolean(_ expression: ProgramExpression) throws(ProgramError) -> Bool {
    let value = try evaluate(expression)
    guard case .boolean(let result) = value else { throw error("found \(value.typeName), expected a boolean") }
    return result
  }

  /// An index from the front, or from the back where it is negative.
  private mutating func position(_ index: ProgramExpression, count: Int) throws(ProgramError) -> Int {
    let index = try integer(index)
    let position = index < 0 ? index &+ count : index
    guard (0..<count).contains(position) else { throw error("index \(index) of a list of \(count)") }
    return position
  }

  private mutating func binary(
    _ symbol: String, _ left: ProgramValue, _ right: ProgramValue
  ) throws(ProgramError) -> ProgramValue {
    switch (symbol, left, right) {
    case ("==", .integer(let a), .integer(let b)): return .boolean(a == b)
    case ("!=", .integer(let a), .integer(let b)): return .boolean(a != b)
    case ("==", .boolean(let a), .boolean(let b)): return .boolean(a == b)
    case ("!=", .boolean(let a), .boolean(let b)): return .boolean(a != b)
    case ("==", .list(let a), .list(let b)), ("!=", .list(let a), .list(let b)):
      try step(lists[a].count / 16)
      return .boolean((lists[a] == lists[b]) == (symbol == "=="))
    case ("<", .integer(let a), .integer(let b)): return .boolean(a < b)
    case ("<=", .integer(let a), .integer(let b)): return .boolean(a <= b)
    case (">", .integer(let a), .integer(let b)): return .boolean(a > b)
    case (">=", .integer(let a), .integer(let b)): return .boolean(a >= b)
    case ("+", .list(let a), .list(let b)):
      let sum = try newList(lists[a])
      try extend(sum, by: b)
      return .list(sum)
    case ("+=", .list(let a), .list(let b)):
      try extend(a, by: b)
      return left
    case (_, .integer(let a), .integer(let b)): return .integer(try arithmetic(symbol, a, b))
    default: throw error("'\(symbol)' between \(left.typeName) and \(right.typeName)")
    }
  }

  private func arithmetic(_ symbol: String, _ a: Int, _ b: Int) throws(ProgramError) -> Int {
    let (result, overflow): (Int, Bool)
    switch symbol {
    case "+", "+=": (result, overflow) = a.addingReportingOverflow(b)
    case "-": (result, overflow) = a.subtractingReportingOverflow(b)
    case "*": (result, overflow) = a.multipliedReportingOverflow(by: b)
    case "**":
      guard (0...64).contains(b) else { throw error("a power of \(b)") }
      var power = 1
      for _ in 0..<b { power = try arithmetic("*", power, a) }
      return power
    case "//", "%":
      guard b != 0 else { throw error("a division by zero") }
      let (quotient, tooLarge) = a.dividedReportingOverflow(by: b)
      if tooLarge { throw error("a number that does not fit into 64 bits") }
      let remainder = a - quotient * b
      // Python rounds down.
      let isBelow = remainder != 0 && (remainder < 0) != (b < 0)
      return symbol == "//" ? (isBelow ? quotient - 1 : quotient) : (isBelow ? remainder + b : remainder)
    default: throw error("'\(symbol)' between numbers")
    }
    if overflow { throw error("a number that does not fit into 64 bits") }
    return result
  }

  private mutating func call(_ name: String, _ arguments: [ProgramValue]) throws(ProgramError) -> ProgramValue {
    guard value(of: name) == nil else { throw error("'\(name)' is no function here") }
    if let function = functions[name] { return try call(name, function, arguments) }
    switch (name, arguments.count) {
    case ("abs", 1):
      guard case .integer(let value) = arguments[0] else { break }
      return .integer(value < 0 ? try arithmetic("-", 0, value) : value)
    case ("len", 1):
      guard case .list(let place) = arguments[0] else { break }
      return .integer(lists[place].count)
    case ("sum", 1):
      guard case .list(let place) = arguments[0] else { break }
      try step(lists[place].count / 16)
      var sum = 0
      for value in lists[place] { sum = try arithmetic("+", sum, value) }
      return .integer(sum)
    case ("min", _), ("max", _):
      var values: [Int] = []
      if arguments.count == 1, case .list(let place) = arguments[0] {
        values = lists[place]
      } else if arguments.count > 1 {
        for argument in arguments { if case .integer(let value) = argument { values.append(value) } }
        if values.count != arguments.count { break }
      }
      try step(values.count / 16)
      guard let result = name == "min" ? values.min() : values.max() else { throw error("\(name) of nothing") }
      return .integer(result)
    default: throw error("there is no function '\(name.prefix(40))' of \(arguments.count) values")
    }
    throw error("\(name) of \(arguments.first?.typeName ?? "nothing")")
  }

  private mutating func call(
    _ name: String, _ function: Function, _ arguments: [ProgramValue]
  ) throws(ProgramError) -> ProgramValue {
    guard function.parameters.count == arguments.count else {
      throw error("\(name) takes \(function.parameters.count) values, found \(arguments.count)")
    }
    let outer = frame, place = line
    var inner = Frame(ownNames: function.ownNames)
    for (parameter, argument) in zip(function.parameters, arguments) { inner.values[parameter] = argument }
    frame = inner
    let outcome = try execute(function.body)
    (frame, line) = (outer, place)
    switch outcome {
    case .next: return .none
    case .giveBack(let value): return value
    case .leave, .again: throw error("break or continue outside of a loop")
    }
  }
}

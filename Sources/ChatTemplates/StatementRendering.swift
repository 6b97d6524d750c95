/// How a run of statements ended.
enum Flow {
  case normal, breakLoop, continueLoop
}

extension Renderer {
  func execute(_ body: [Statement], _ scope: Scope) throws(TemplateError) -> Flow {
    try nested { () throws(TemplateError) in
      for statement in body {
        try spend(1)
        let flow = try execute(statement, scope)
        if flow != .normal { return flow }
      }
      return .normal
    }
  }

  /// Executes a block with names of its own.
  func execute(_ block: Block, in scope: Scope) throws(TemplateError) -> Flow {
    try execute(block.statements, newScope(for: block.frame, in: scope))
  }

  private func execute(_ statement: Statement, _ scope: Scope) throws(TemplateError) -> Flow {
    switch statement {
    case .text(let text):
      try emit(text)
      return .normal
    case .output(let expression, let line):
      self.line = line
      try emit(try string(try evaluate(expression, scope)))
      return .normal
    case .conditional(let branches, let otherwise): return try execute(branches, otherwise: otherwise, scope)
    case .loop(let loop): return try execute(loop, scope)
    case .assign(let target, let expression, let line):
      self.line = line
      try assign(try evaluate(expression, scope), to: target, scope)
      return .normal
    case .assignBlock(let target, let filters, let body, let line):
      let (text, flow) = try captureFiltered(body, filters, line, scope)
      if flow == .normal { try assign(text, to: target, scope) }
      return flow
    case .macro(let symbol, let definition):
      try assign(try macro(definition, scope), to: symbol, scope)
      return .normal
    case .call(let expression, let caller, let line):
      self.line = line
      try emit(try string(try call(expression, caller: try macro(caller, scope), scope)))
      return .normal
    case .filter(let filters, let body, let line):
      let (text, flow) = try captureFiltered(body, filters, line, scope)
      if flow == .normal { try emit(try string(text)) }
      return flow
    case .with(let assignments, let body, let line): return try execute(assignments, body, line, scope)
    case .generation(let body): return try execute(body, in: scope)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
  }

  private func execute(
    _ branches: [ConditionalBranch], otherwise: [Statement], _ scope: Scope
  ) throws(TemplateError) -> Flow {
    for branch in branches {
      line = branch.line
      if try evaluate(branch.test, scope).isTrue { return try execute(branch.body, scope) }
    }
    return try execute(otherwise, scope)
  }

  private func execute(
    _ assignments: [(target: AssignmentTarget, value: Expression)], _ body: Block, _ line: Int, _ scope: Scope
  ) throws(TemplateError) -> Flow {
    self.line = line
    let inner = newScope(for: body.frame, in: scope)
    // The values do not see each other's names.
    var values: [TemplateValue] = []
    for assignment in assignments { values.append(try evaluate(assignment.value, scope)) }
    for (assignment, value) in zip(assignments, values) { try assign(value, to: assignment.target, inner) }
    return try execute(body.statements, inner)
  }

  private func captureFiltered(
    _ body: Block, _ filters: [Postfix], _ line: Int, _ scope: Scope
  ) throws(TemplateError) -> (TemplateValue, Flow) {
    let inner = newScope(for: body.frame, in: scope)
    let (text, flow) = try capture(body.statements, inner)
    guard flow == .normal else { return (.none, flow) }
    self.line = line
    return (try apply(filters, to: .string(text), inner), flow)
  }

  private func execute(_ statement: LoopStatement, _ scope: Scope) throws(TemplateError) -> Flow {
    line = statement.line
    let iterable = try evaluate(statement.iterable, scope)
    let loop = LoopState(try elements(of: iterable), of: iterable)
    if let test = statement.test {
      loop.filter = { (renderer, element) throws(TemplateError) in
        let inner = renderer.newScope(for: statement.testFrame, in: scope)
        try renderer.assign(element, to: statement.target, inner)
        return try renderer.evaluate(test, inner).isTrue
      }
    }
    // The filter knows the scope around, so it must not outlive the loop.
    defer { loop.filter = nil }
    try checkDepth(loop.depth)
    // jinja2 takes the 'else' branch unless some turn came to its end.
    var isFinished = false
    while let element = try loop.advance(self) {
      try spend(4)
      let inner = newScope(for: statement.body.frame, in: scope)
      try assign(.loop(loop), to: statement.loopSymbol, inner)
      try assign(element, to: statement.target, inner)
      let flow = try execute(statement.body.statements, inner)
      if flow == .breakLoop { break }
      if flow == .normal { isFinished = true }
    }
    return isFinished ? .normal : try execute(statement.otherwise, in: scope)
  }

  func assign(_ value: TemplateValue, to target: AssignmentTarget, _ scope: Scope) throws(TemplateError) {
    switch target {
    case .name(let symbol): try assign(value, to: symbol, scope)
    case .attribute(let symbol, let name):
      guard case .namespace(let namespace) = try self.value(of: symbol, scope) else {
        throw failure("'.\(name)' can only be set on a namespace")
      }
      try set(name, of: namespace, to: value)
    case .tuple(let targets):
      let values = try elements(of: value)
      guard values.count == targets.count else {
        throw failure("cannot assign \(values.count) values to \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(value, to: target, scope) }
    }
  }

  func set(_ name: String, of namespace: ValueNamespace, to value: TemplateValue) throws(TemplateError) {
    guard name.utf8.first != UInt8(ascii: "_") else {
      throw failure("a namespace cannot have '\(name)': names with an underscore first are private")
    }
    try spend(namespace.attributes.count * (1 + name.utf8.count >> 4))
    try allocate(64)
    namespace.set(name, value)
  }
}

/// Finds the names that a block assigns before it reads them. jinja2 makes local variables of them for the whole block, so
/// that a loop or macro inside which runs before the assignment finds them undefined, even if the template has a variable
/// of that name.
struct NameAnalysis {
  private var hiddenNames: [[Int]]

  /// - Returns: for every frame its hidden names.
  static func hiddenNames(of template: Block, frameCount: Int) -> [[Int]] {
    var analysis = NameAnalysis(hiddenNames: Array(repeating: [], count: frameCount))
    analysis.visit(template, known: [])
    return analysis.hiddenNames
  }

  /// What is known of one block.
  private struct Frame {
    /// Names that the blocks around read or assign.
    let outer: Set<Int>
    /// Names read or assigned here so far.
    var known: Set<Int> = []
    var hidden: Set<Int> = []

    mutating func load(_ symbol: Int) { if !outer.contains(symbol) { known.insert(symbol) } }

    mutating func store(_ symbol: Int) {
      if known.insert(symbol).inserted, !outer.contains(symbol) { hidden.insert(symbol) }
    }
  }

  private mutating func visit(_ block: Block, parameters: [Int] = [], reads: [Expression] = [], known outer: Set<Int>) {
    var frame = Frame(outer: outer)
    frame.known.formUnion(parameters)
    for expression in reads { Self.visit(expression, &frame) }
    for statement in block.statements { Self.visit(statement, &frame) }
    hiddenNames[block.frame] = frame.hidden.sorted()
    let known = outer.union(frame.known)
    for statement in block.statements { visitBlocks(of: statement, known: known) }
  }

  /// The statement's own reads and assignments, without those of blocks inside.
  private static func visit(_ statement: Statement, _ frame: inout Frame) {
    switch statement {
    case .text, .breakLoop, .continueLoop, .generation: break
    case .output(let expression, _): visit(expression, &frame)
    case .conditional(let branches, let otherwise):
      // A name that only some branches assign is not hidden; what was before the statement stays as it was.
      if let first = branches.first { visit(first.test, &frame) }
      let start = frame
      func add(_ branch: [Statement]) {
        var inner = start
        for statement in branch { visit(statement, &inner) }
        frame.known.formUnion(inner.known)
      }
      add(branches.first?.body ?? [])
      add(branches.dropFirst().map { .conditional([$0], otherwise: []) })
      add(otherwise)
    case .loop(let loop): visit(loop.iterable, &frame)
    case .assign(let target, let expression, _):
      visit(expression, &frame)
      visit(target, &frame)
    case .assignBlock(let target, _, _, _): visit(target, &frame)
    case .macro(let symbol, _): frame.store(symbol)
    case .call(let expression, _, _): visit(expression, &frame)
    case .filter(let filters, _, _): visit(filters, &frame)
    case .with(let assignments, _, _): for assignment in assignments { visit(assignment.value, &frame) }
    }
  }

  private static func visit(_ target: AssignmentTarget, _ frame: inout Frame) {
    switch target {
    case .name(let symbol): frame.store(symbol)
    case .attribute(let symbol, _): frame.load(symbol)
    case .tuple(let targets): for target in targets { visit(target, &frame) }
    }
  }

  private mutating func visitBlocks(of statement: Statement, known: Set<Int>) {
    switch statement {
    case .text, .output, .assign, .breakLoop, .continueLoop: break
    case .conditional(let branches, let otherwise):
      for branch in branches { for statement in branch.body { visitBlocks(of: statement, known: known) } }
      for statement in otherwise { visitBlocks(of: statement, known: known) }
    case .loop(let loop):
      // The test only reads, so nothing is hidden in its frame.
      visit(loop.body, parameters: [loop.loopSymbol] + Self.names(of: loop.target), known: known)
      visit(loop.otherwise, known: known)
    case .assignBlock(_, _, let body, _): visit(body, known: known)
    case .macro(_, let definition): visit(definition, known: known)
    case .call(_, let caller, _): visit(caller, known: known)
    case .filter(_, let body, _): visit(body, known: known)
    case .with(let assignments, let body, _):
      visit(body, parameters: assignments.flatMap { Self.names(of: $0.target) }, known: known)
    case .generation(let body): visit(body, known: known)
    }
  }

  private mutating func visit(_ macro: MacroDefinition, known: Set<Int>) {
    visit(
      macro.body, parameters: macro.parameters.map { $0.symbol }, reads: macro.parameters.compactMap { $0.defaultValue },
      known: known)
  }

  private static func names(of target: AssignmentTarget) -> [Int] {
    switch target {
    case .name(let symbol): [symbol]
    case .attribute: []
    case .tuple(let targets): targets.flatMap { names(of: $0) }
    }
  }

  // MARK: Names that expressions read

  private static func visit(_ expression: Expression, _ frame: inout Frame) {
    switch expression {
    case .none, .bool, .integer, .double, .string: break
    case .name(let symbol): frame.load(symbol)
    case .list(let operands), .tuple(let operands), .and(let operands), .or(let operands), .concatenation(let operands):
      for operand in operands { visit(operand, &frame) }
    case .object(let items):
      for item in items {
        visit(item.key, &frame)
        visit(item.value, &frame)
      }
    case .not(let operand), .sign(_, let operand, _): visit(operand, &frame)
    case .comparison(let first, let comparisons):
      visit(first, &frame)
      for comparison in comparisons { visit(comparison.operand, &frame) }
    case .arithmetic(let first, let operations):
      visit(first, &frame)
      for operation in operations { visit(operation.operand, &frame) }
    case .conditional(let test, let value, let otherwise):
      visit(test, &frame)
      visit(value, &frame)
      if let otherwise { visit(otherwise, &frame) }
    case .postfix(let base, let chain):
      visit(base, &frame)
      visit(chain, &frame)
    }
  }

  private static func visit(_ chain: [Postfix], _ frame: inout Frame) {
    for postfix in chain {
      switch postfix.kind {
      case .attribute: break
      case .item(let expression): visit(expression, &frame)
      case .slice(let start, let stop, let step):
        for expression in [start, stop, step] { if let expression { visit(expression, &frame) } }
      case .call(let arguments), .filter(_, let arguments), .test(_, let arguments, _):
        for expression in arguments.positional { visit(expression, &frame) }
        for argument in arguments.named { visit(argument.value, &frame) }
      }
    }
  }
}

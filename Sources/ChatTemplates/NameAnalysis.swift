/// Finds the names that a block assigns before it reads them. jinja2 makes local variables of them for the whole block, so
/// that a loop or macro inside which runs before the assignment finds them undefined, even if the template has a variable
/// of that name.
struct NameAnalysis {
  private var hiddenNames: [[Int]]
  /// Names that the blocks around read or assign.
  private var outer: Set<Int> = []
  /// Names that the block read or assigned so far, as a set and in the order they came.
  private var known: Set<Int> = []
  private var order: [Int] = []
  private var hidden: Set<Int> = []
  /// How many conditionals of the block are around.
  private var conditionalDepth = 0

  /// - Returns: for every frame its hidden names.
  static func hiddenNames(of template: Block, frameCount: Int) -> [[Int]] {
    var analysis = NameAnalysis(hiddenNames: Array(repeating: [], count: frameCount))
    analysis.visit(template)
    return analysis.hiddenNames
  }

  private mutating func load(_ symbol: Int) { if !outer.contains(symbol) { _ = learn(symbol) } }

  private mutating func store(_ symbol: Int) {
    // A name that only some branches assign is not hidden.
    if learn(symbol), !outer.contains(symbol), conditionalDepth == 0 { hidden.insert(symbol) }
  }

  private mutating func learn(_ symbol: Int) -> Bool {
    guard known.insert(symbol).inserted else { return false }
    order.append(symbol)
    return true
  }

  private mutating func visit(_ block: Block, parameters: [Int] = [], reads: [Expression] = []) {
    known.removeAll(keepingCapacity: true)
    order.removeAll(keepingCapacity: true)
    hidden.removeAll(keepingCapacity: true)
    for parameter in parameters { _ = learn(parameter) }
    for expression in reads { visit(expression) }
    for statement in block.statements { visit(statement) }
    hiddenNames[block.frame] = hidden.sorted()
    // For the blocks inside, this one's names are of a block around. What was known of it is not needed any more.
    let added = order.filter { outer.insert($0).inserted }
    for statement in block.statements { visitBlocks(of: statement) }
    for symbol in added { outer.remove(symbol) }
  }

  /// The statement's own reads and assignments, without those of blocks inside.
  private mutating func visit(_ statement: Statement) {
    switch statement {
    case .text, .breakLoop, .continueLoop, .generation: break
    case .output(let expression, _): visit(expression)
    case .conditional(let branches, let otherwise): visit(branches, otherwise)
    case .loop(let loop): visit(loop.iterable)
    case .assign(let target, let expression, _):
      visit(expression)
      visit(target)
    case .assignBlock(let target, _, _, _): visit(target)
    case .macro(let symbol, _): store(symbol)
    case .call(let expression, _, _): visit(expression)
    case .filter(let filters, _, _): visit(filters)
    case .with(let assignments, _, _): for assignment in assignments { visit(assignment.value) }
    }
  }

  /// Every branch starts from what was known before it; after the statement, all that any branch learnt is known.
  private mutating func visit(_ branches: [ConditionalBranch], _ otherwise: [Statement]) {
    conditionalDepth += 1
    defer { conditionalDepth -= 1 }
    // The first test always runs, so all the branches know what it reads.
    if let first = branches.first { visit(first.test) }
    let start = order.count
    var learnt: [Int] = []
    for statement in branches.first?.body ?? [] { visit(statement) }
    learnt += forget(from: start)
    for branch in branches.dropFirst() { visit([branch], []) }
    learnt += forget(from: start)
    for statement in otherwise { visit(statement) }
    for symbol in learnt { _ = learn(symbol) }
  }

  /// Takes back what was learnt since `order` had `start` names.
  private mutating func forget(from start: Int) -> [Int] {
    let names = Array(order[start...])
    order.removeSubrange(start...)
    for symbol in names { known.remove(symbol) }
    return names
  }

  private mutating func visit(_ target: AssignmentTarget) {
    switch target {
    case .name(let symbol): store(symbol)
    case .attribute(let symbol, _): load(symbol)
    case .tuple(let targets): for target in targets { visit(target) }
    }
  }

  private mutating func visitBlocks(of statement: Statement) {
    switch statement {
    case .text, .output, .assign, .breakLoop, .continueLoop: break
    case .conditional(let branches, let otherwise):
      for branch in branches { for statement in branch.body { visitBlocks(of: statement) } }
      for statement in otherwise { visitBlocks(of: statement) }
    case .loop(let loop):
      // The test only reads, so nothing is hidden in its frame.
      visit(loop.body, parameters: [loop.loopSymbol] + Self.names(of: loop.target))
      visit(loop.otherwise)
    case .assignBlock(_, _, let body, _): visit(body)
    case .macro(_, let definition): visit(definition)
    case .call(_, let caller, _): visit(caller)
    case .filter(_, let body, _): visit(body)
    case .with(let assignments, let body, _):
      visit(body, parameters: assignments.flatMap { Self.names(of: $0.target) })
    case .generation(let body): visit(body)
    }
  }

  private mutating func visit(_ macro: MacroDefinition) {
    visit(
      macro.body, parameters: macro.parameters.map { $0.symbol }, reads: macro.parameters.compactMap { $0.defaultValue })
  }

  private static func names(of target: AssignmentTarget) -> [Int] {
    switch target {
    case .name(let symbol): [symbol]
    case .attribute: []
    case .tuple(let targets): targets.flatMap { names(of: $0) }
    }
  }

  // MARK: Names that expressions read

  private mutating func visit(_ expression: Expression) {
    switch expression {
    case .none, .bool, .integer, .double, .string: break
    case .name(let symbol): load(symbol)
    case .list(let operands), .tuple(let operands), .and(let operands), .or(let operands), .concatenation(let operands):
      for operand in operands { visit(operand) }
    case .object(let items):
      for item in items {
        visit(item.key)
        visit(item.value)
      }
    case .not(let operand), .sign(_, let operand, _): visit(operand)
    case .comparison(let first, let comparisons):
      visit(first)
      for comparison in comparisons { visit(comparison.operand) }
    case .arithmetic(let first, let operations):
      visit(first)
      for operation in operations { visit(operation.operand) }
    case .conditional(let test, let value, let otherwise):
      visit(test)
      visit(value)
      if let otherwise { visit(otherwise) }
    case .postfix(let base, let chain):
      visit(base)
      visit(chain)
    }
  }

  private mutating func visit(_ chain: [Postfix]) {
    for postfix in chain {
      switch postfix.kind {
      case .attribute: break
      case .item(let expression): visit(expression)
      case .slice(let start, let stop, let step):
        for expression in [start, stop, step] { if let expression { visit(expression) } }
      case .call(let arguments), .filter(_, let arguments), .test(_, let arguments, _):
        for expression in arguments.positional { visit(expression) }
        for argument in arguments.named { visit(argument.value) }
      }
    }
  }
}

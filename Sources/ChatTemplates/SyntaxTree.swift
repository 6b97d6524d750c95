/// An expression. Chains such as `a + b + c` and `a.b[c]|d` are one node, so that a long chain is not a deep tree.
indirect enum Expression: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case name(Int)
  case list([Expression])
  case tuple([Expression])
  case object([ObjectItem])
  case not(Expression)
  case sign(isNegative: Bool, Expression, line: Int)
  case and([Expression])
  case or([Expression])
  case comparison(Expression, [Comparison])
  case arithmetic(Expression, [Operation])
  /// `a ~ b`
  case concatenation([Expression])
  /// `value if test else otherwise`
  case conditional(test: Expression, value: Expression, otherwise: Expression?)
  case postfix(Expression, [Postfix])
}

/// `key: value` in a literal object.
struct ObjectItem: Sendable {
  let key: Expression
  let value: Expression
}

/// `< operand` and the like.
struct Comparison: Sendable {
  enum Operator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case isNotIn = "not in"
  }

  let `operator`: Operator
  let operand: Expression
  let line: Int
}

/// `+ operand` and the like.
struct Operation: Sendable {
  enum Operator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
  }

  let `operator`: Operator
  let operand: Expression
  let line: Int
}

/// What follows a value: `.name`, `[item]`, `[from:to]`, `(arguments)`, `|filter`, `is test`.
struct Postfix: Sendable {
  enum Kind: Sendable {
    case attribute(String)
    case item(Expression)
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(ArgumentList)
    case filter(Filter, ArgumentList)
    case test(ValueTest, ArgumentList, isNegated: Bool)
  }

  let kind: Kind
  let line: Int
}

struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var named: [NamedArgument] = []
}

struct NamedArgument: Sendable {
  let name: String
  let value: Expression
}

/// Statements that have names of their own: what is assigned inside is gone after them.
struct Block: Sendable {
  /// Tells the blocks of a template apart; 0 is the template itself.
  let frame: Int
  let statements: [Statement]
}

/// A statement, or text.
indirect enum Statement: Sendable {
  case text(String)
  case output(Expression, line: Int)
  case conditional([ConditionalBranch], otherwise: [Statement])
  case loop(LoopStatement)
  case assign(AssignmentTarget, Expression, line: Int)
  /// `{% set x %}…{% endset %}`
  case assignBlock(AssignmentTarget, filters: [Postfix], body: Block, line: Int)
  case macro(symbol: Int, MacroDefinition)
  /// `{% call macro() %}…{% endcall %}`: the body becomes the macro's `caller`.
  case call(Expression, caller: MacroDefinition, line: Int)
  case filter([Postfix], body: Block, line: Int)
  case with([(target: AssignmentTarget, value: Expression)], body: Block, line: Int)
  /// `{% generation %}…{% endgeneration %}`, which marks what the assistant wrote.
  case generation(Block)
  case breakLoop
  case continueLoop
}

struct ConditionalBranch: Sendable {
  let test: Expression
  let body: [Statement]
  let line: Int
}

struct LoopStatement: Sendable {
  /// The name `loop`.
  let loopSymbol: Int
  let target: AssignmentTarget
  let iterable: Expression
  let test: Expression?
  /// The names of the test, like `Block.frame`.
  let testFrame: Int
  let body: Block
  let otherwise: Block
  let line: Int
}

indirect enum AssignmentTarget: Sendable {
  case name(Int)
  /// `namespace.attribute`
  case attribute(namespace: Int, name: String)
  case tuple([AssignmentTarget])
}

/// A macro: parameters, the defaults of the last of them, and the body.
final class MacroDefinition: Sendable {
  let name: String
  let parameters: [MacroParameter]
  let body: Block
  /// Names that mean something special when the body uses them.
  let special: SpecialNames

  init(name: String, parameters: [MacroParameter], body: Block, special: SpecialNames) {
    self.name = name
    self.parameters = parameters
    self.body = body
    self.special = special
  }
}

struct MacroParameter: Sendable {
  let symbol: Int
  let name: String
  let defaultValue: Expression?
}

/// Which of the names that a macro gets for free its body uses.
struct SpecialNames: Sendable {
  var caller: Int?
  var arguments: Int?
  var namedArguments: Int?
}

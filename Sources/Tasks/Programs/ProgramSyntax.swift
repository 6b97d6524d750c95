/// What is wrong with a program, or went wrong while it ran.
public struct ProgramError: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  public var reason: String

  public var description: String { "line \(line): \(reason)" }
}

/// An expression of the small language.
indirect enum ProgramExpression: Sendable {
  case integer(Int)
  case boolean(Bool)
  case variable(String)
  case list([ProgramExpression])
  case negative(ProgramExpression)
  case not(ProgramExpression)
  /// An operator between two values; or `+=`, whose value is then assigned to the name on its left.
  case binary(String, ProgramExpression, ProgramExpression)
  case and(ProgramExpression, ProgramExpression)
  case or(ProgramExpression, ProgramExpression)
  case element(ProgramExpression, ProgramExpression)
  case call(String, [ProgramExpression])
}

/// A statement with its line.
struct ProgramStatement: Sendable {
  indirect enum Kind: Sendable {
    /// `a = 1`, or `a, b = b, a`.
    case assign([String], [ProgramExpression])
    /// `list[index] = value`, or with an operation `list[index] += value`.
    case assignElement(String, index: ProgramExpression, operation: String?, ProgramExpression)
    case append(String, ProgramExpression)
    case print([ProgramExpression])
    case evaluate(ProgramExpression)
    case choose([(condition: ProgramExpression, body: [ProgramStatement])], otherwise: [ProgramStatement])
    case loop(ProgramExpression, [ProgramStatement])
    /// Over a list; a `range` has one, two or three expressions.
    case iterate(String, ProgramExpression, [ProgramStatement])
    case count(String, [ProgramExpression], [ProgramStatement])
    case define(String, parameters: [String], [ProgramStatement])
    case giveBack(ProgramExpression?)
    case leave
    case next
    case nothing
  }
  var kind: Kind
  var line: Int

  /// The names that these statements assign to, which are a function's own.
  static func assigned(_ statements: [ProgramStatement]) -> Set<String> {
    statements.reduce(into: []) { names, statement in
      switch statement.kind {
      case .assign(let targets, _): names.formUnion(targets)
      case .iterate(let name, _, let body), .count(let name, _, let body):
        names.insert(name)
        names.formUnion(assigned(body))
      case .loop(_, let body): names.formUnion(assigned(body))
      case .choose(let cases, let otherwise):
        for (_, body) in cases { names.formUnion(assigned(body)) }
        names.formUnion(assigned(otherwise))
      default: break
      }
    }
  }
}

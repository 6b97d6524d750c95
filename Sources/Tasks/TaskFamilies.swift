/// The families that come with the product.
public enum TaskFamilies {
  public static let all: [any TaskFamily] = [
    Arithmetic(), Multiplication(), Fractions(), LinearEquations(), ModularArithmetic(), Countdown(), Parity(), Sorting(),
    Counting(), BaseConversion(), Dates(), PropositionalLogic(), WordProblems(), ProgramOutput(), ProgramWriting(),
  ]

  /// Those that are made and measured only when they are named.
  public static let onlyNamed: [any TaskFamily] = [OutOfScope()]

  /// All that can be named.
  public static let known = all + onlyNamed

  /// The families of these names; all for none.
  /// - Throws: `TaskError.unknownFamily`.
  public static func named(_ names: [String]) throws(TaskError) -> [any TaskFamily] {
    if names.isEmpty { return all }
    var families: [any TaskFamily] = []
    for name in names {
      guard let family = known.first(where: { $0.name == name }) else { throw .unknownFamily(name, known: known.map(\.name)) }
      if !families.contains(where: { $0.name == name }) { families.append(family) }
    }
    return families
  }
}

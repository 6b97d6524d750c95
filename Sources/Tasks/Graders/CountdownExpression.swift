/// An expression of integers with `+ - * /` and parentheses, computed exactly.
///
/// It is read with two stacks of its own, so that parentheses of any depth take no stack of the process.
struct CountdownExpression {
  private static let longest = 1000

  /// The integers in it, in their order.
  private(set) var numbers: [Int] = []
  private(set) var value: Rational

  /// nil for what is no expression, divides by zero, or has values that do not fit into 64 bits.
  /// - Parameter target: `… = target` behind it is allowed.
  init?(_ text: String, target: Int? = nil) {
    var tokens = Array(AnswerText.plain(text).utf8)[...]
    tokens = tokens.filter { ![0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "$"), UInt8(ascii: "`")].contains($0) }[...]
    if let target, let equals = tokens.lastIndex(of: UInt8(ascii: "=")) {
      guard String(decoding: tokens[(equals + 1)...], as: UTF8.self) == "\(target)" else { return nil }
      tokens = tokens[..<equals]
    }
    guard tokens.count <= Self.longest else { return nil }
    var values: [Rational] = [], operators: [UInt8] = [], expectsValue = true
    let negation = UInt8(ascii: "~")

    func apply() -> Bool {
      guard let symbol = operators.popLast(), let right = values.popLast() else { return false }
      if symbol == negation {
        guard let value = right.negated() else { return false }
        values.append(value)
        return true
      }
      guard let left = values.popLast() else { return false }
      let result =
        switch symbol {
        case UInt8(ascii: "+"): left.plus(right)
        case UInt8(ascii: "-"): right.negated().flatMap { left.plus($0) }
        case UInt8(ascii: "*"): left.times(right)
        default: left.divided(by: right)
        }
      guard let result else { return false }
      values.append(result)
      return true
    }
    func rank(_ symbol: UInt8) -> Int {
      switch symbol {
      case UInt8(ascii: "+"), UInt8(ascii: "-"): 1
      case UInt8(ascii: "*"), UInt8(ascii: "/"): 2
      case negation: 3
      default: 0
      }
    }
    while let byte = tokens.popFirst() {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        guard expectsValue else { return nil }
        var number = Int(byte - 0x30)
        while let next = tokens.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) {
          tokens.removeFirst()
          guard number < 1_000_000_000_000 else { return nil }
          number = number * 10 + Int(next - 0x30)
        }
        numbers.append(number)
        guard let value = Rational(number) else { return nil }
        values.append(value)
        expectsValue = false
      case UInt8(ascii: "("):
        guard expectsValue else { return nil }
        operators.append(byte)
      case UInt8(ascii: ")"):
        guard !expectsValue else { return nil }
        while let last = operators.last, last != UInt8(ascii: "(") { guard apply() else { return nil } }
        guard operators.popLast() != nil else { return nil }
      case UInt8(ascii: "-") where expectsValue:
        operators.append(negation)
      case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"):
        guard !expectsValue else { return nil }
        while let last = operators.last, rank(last) >= rank(byte) { guard apply() else { return nil } }
        operators.append(byte)
        expectsValue = true
      default: return nil
      }
    }
    guard !expectsValue else { return nil }
    while let last = operators.last {
      guard last != UInt8(ascii: "("), apply() else { return nil }
    }
    guard values.count == 1 else { return nil }
    value = values[0]
  }
}

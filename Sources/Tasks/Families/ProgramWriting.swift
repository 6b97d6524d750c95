/// A program is written, and run on inputs that the question does not show.
public struct ProgramWriting: TaskFamily {
  public init() {}

  public let name = "program-writing"
  public let summary = "Writes a small program, which is run on several inputs."

  public func dials(difficulty: Int) -> String {
    switch difficulty {
    case ...3: "one loop, constants up to \(constant(difficulty))"
    case ...6: "a loop over digits or divisors, constants up to \(constant(difficulty))"
    default: "recurrences and nested loops, constants up to \(constant(difficulty))"
    }
  }

  private func constant(_ difficulty: Int) -> Int { 20 + 10 * difficulty }

  private struct Exercise {
    /// What is to be printed.
    var text: String
    var plan: String
    var source: String
  }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let largest = constant(difficulty)
    let exercise =
      switch difficulty {
      case ...3: Self.loops(largest, &random)
      case ...6: Self.digits(largest, &random)
      default: Self.nested(largest, &random)
      }
    // The programs are of the language and end for these inputs: a test runs thousands.
    let tests = [1, 2, 7, random.integer(10...20), random.integer(21...40), random.integer(41...60)].map { n in
      let inputs = [ProgramTest.Input(name: "n", value: n)]
      return ProgramTest(inputs: inputs, output: ((try? Program(exercise.source).run(inputs: inputs)) ?? "").trimmedEnd)
    }
    let shown = tests.prefix(3).map { "n = \($0.inputs[0].value): \($0.output.replacing("\n", with: " "))" }
    let question = """
      Write a Python program. The variable n holds a positive integer already; do not read input. \(exercise.text)
      Use only integers, lists of integers, if, while, for, def, print, abs, len, min, max and sum.
      What it prints for some n:
      \(shown.joined(separator: "\n"))
      """
    return Problem(
      question: question, answer: "\n" + exercise.source + "\n", grader: .program(tests: tests),
      reasoning: ([exercise.plan] + shown.map { "Check: \($0)" }).joined(separator: "\n"), key: exercise.text)
  }

  private static func loops(_ largest: Int, _ random: inout TaskRandom) -> Exercise {
    let a = random.integer(2...largest), b = random.integer(2...largest)
    switch random.integer(0...2) {
    case 0:
      return Exercise(
        text: "Print the sum of all numbers from 1 to n that are divisible by \(a) or by \(b).",
        plan: "Go through 1 to n and add each number whose remainder by \(a) or by \(b) is 0.",
        source: "total = 0\nfor i in range(1, n + 1):\n    if i % \(a) == 0 or i % \(b) == 0:\n        total += i\nprint(total)")
    case 1:
      return Exercise(
        text: "Start with \(a). Repeat n times: multiply by \(b) and take the remainder by 1009. Print the last number.",
        plan: "Keep one number and change it n times in a loop.",
        source: "value = \(a)\nfor i in range(n):\n    value = value * \(b) % 1009\nprint(value)")
    default:
      return Exercise(
        text: "Print the largest number of the form \(a) + k * \(b), with k from 0, that is not above \(a) + n.",
        plan: "Begin at \(a) and add \(b) as long as the number stays within \(a) + n.",
        source: "value = \(a)\nwhile value + \(b) <= \(a) + n:\n    value += \(b)\nprint(value)")
    }
  }

  private static func digits(_ largest: Int, _ random: inout TaskRandom) -> Exercise {
    let base = random.integer(2...16), factor = random.integer(2...largest), rest = random.integer(2...9)
    switch random.integer(0...2) {
    case 0:
      return Exercise(
        text: "Print the sum of the digits of n * \(factor), written in base \(base).",
        plan: "The last digit is the remainder by \(base); divide by \(base) and go on until nothing is left.",
        source: "m = n * \(factor)\ntotal = 0\nwhile m > 0:\n    total += m % \(base)\n    m //= \(base)\nprint(total)")
    case 1:
      return Exercise(
        text: "Print how many of the divisors of n + \(factor) do not have the remainder 1 when divided by \(rest).",
        plan: "Try every number from 1 to n + \(factor): count it when it divides and its remainder by \(rest) is not 1.",
        source:
          "m = n + \(factor)\ncount = 0\nfor d in range(1, m + 1):\n    if m % d == 0 and d % \(rest) != 1:\n        count += 1\nprint(count)"
      )
    default:
      return Exercise(
        text: "Print the greatest common divisor of n * \(rest) and \(factor * 6).",
        plan: "Euclid: replace the pair by the smaller number and the remainder until the remainder is 0.",
        source: "a = n * \(rest)\nb = \(factor * 6)\nwhile b != 0:\n    a, b = b, a % b\nprint(a)")
    }
  }

  private static func nested(_ largest: Int, _ random: inout TaskRandom) -> Exercise {
    let a = random.integer(1...9), b = random.integer(1...9), modulus = random.integer(50...(50 + largest * 5))
    switch random.integer(0...2) {
    case 0:
      return Exercise(
        text: "Let f(0) = \(a), f(1) = \(b) and f(k) = (f(k - 1) + \(a + 1) * f(k - 2)) mod \(modulus). Print f(n).",
        plan: "Keep the last two values and move on n times.",
        source: "x = \(a)\ny = \(b)\nfor i in range(n):\n    x, y = y, (y + \(a + 1) * x) % \(modulus)\nprint(x)")
    case 1:
      let modulus = random.integer(10...60)
      return Exercise(
        text: "Print the sum of all primes from 2 to n + \(modulus), modulo \(modulus).",
        plan: "Test each number by dividing by all d with d * d not above it.",
        source: """
          total = 0
          for i in range(2, n + \(modulus + 1)):
              is_prime = True
              d = 2
              while d * d <= i and is_prime:
                  if i % d == 0:
                      is_prime = False
                  d += 1
              if is_prime:
                  total += i
          print(total % \(modulus))
          """)
    default:
      return Exercise(
        text:
          "Print the number of pairs (i, j) with 1 <= i < j <= n for which (i * \(a) + j * \(b)) is divisible by \(a + b + 2).",
        plan: "Two loops, one inside the other, and a counter.",
        source: """
          count = 0
          for i in range(1, n + 1):
              for j in range(i + 1, n + 1):
                  if (i * \(a) + j * \(b)) % \(a + b + 2) == 0:
                      count += 1
          print(count)
          """)
    }
  }
}

extension String {
  fileprivate var trimmedEnd: String { String(self[...].trimmed(\.isWhitespace)) }
}

import Testing

@testable import SwiftletTasks

@Suite struct GraderTests {
  @Test(arguments: [
    ("5", "5"), ("+5", "5"), ("5.", "5"), ("5.00", "5"), ("005", "5"), ("-0", "0"), ("1,234", "1234"), ("1 234 567", "1234567"),
    ("1{,}234", "1234"), ("1e3", "1000"), ("1.5e3", "1500"), ("0.5", "1/2"), ("2/4", "1/2"), ("-2/4", "-1/2"), ("2/-4", "-1/2"),
    ("\\frac{2}{4}", "1/2"), ("-\\dfrac{2}{4}", "-1/2"), ("$18", "18"), ("$1,000.50", "2001/2"), ("18 apples", "18"),
    ("18 个苹果", "18"), ("635 千米", "635"), ("5千克", "5"), ("50%", "50"),
    ("50\\%", "50"), ("x = 7", "7"), ("$x=7$", "7"), ("**42**", "42"), ("\\boxed{42}", "42"),
    ("\\(42\\)", "42"), ("４２", "42"), ("٤٢", "42"), ("−7", "-7"), ("1，000", "1000"), ("90°", "90"), (".5", "1/2"),
    ("90^\\circ", "90"), ("$90^{\\circ}$.", "90"),
    ("123456789012345678901234567890", "123456789012345678901234567890"), ("1e30", "1" + String(repeating: "0", count: 30)),
  ]) func numbersAreRead(text: String, canonical: String) {
    #expect(Grader.number.canonical(text) == canonical)
  }

  @Test(arguments: [
    "", " ", "x", "1 2", "1,23", "12,34,567", "1/0", "0/0", "1e999", "1e99999999999999999999", "--5", "5-", "1.2.3", "nan", "inf",
    "5 or 6", "5 million", "3 dozen", "5万", "5千", "5千元", "1/2/3", "\\frac{1}{0}", "\\frac{1}", "五", "①", "0x10", "=5",
  ]) func whatIsNoNumberIsNone(text: String) {
    #expect(Grader.number.canonical(text) == nil)
  }

  @Test func numbersAreComparedExactly() throws {
    #expect(try Grader.number.isCorrect("0.1", expected: "1/10"))
    #expect(try !Grader.number.isCorrect("0.3333333333", expected: "1/3"))
    #expect(try !Grader.number.isCorrect("9007199254740993", expected: "9007199254740992"))
    #expect(try !Grader.number.isCorrect("x", expected: "y"))
  }

  @Test func textsAreComparedLoosely() throws {
    for text in ["Even", "even.", "  EVEN ", "\"even\"", "**even**", "`even`"] {
      #expect(try Grader.exact.isCorrect(text, expected: "even"))
    }
    for text in ["", "odd", "even odd", "uneven"] { #expect(try !Grader.exact.isCorrect(text, expected: "even")) }
    for text in ["True", "yes", "对", "true."] { #expect(try Grader.boolean.isCorrect(text, expected: "true")) }
    #expect(try !Grader.boolean.isCorrect("true or false", expected: "true"))
  }

  @Test func choicesAreLetters() {
    for text in ["B", "b", "(B)", "B.", "B) a prime", "B: because", "**B**", " B ", "B, since"] {
      #expect(Grader.choice.canonical(text) == "B", "\(text)")
    }
    for text in ["", "Because", "A B", "a prime", "K", "1", "\u{301}B"] {
      #expect(Grader.choice.canonical(text) == nil, "\(text)")
    }
  }

  @Test func listsAreReadInTheirOrder() throws {
    for text in ["1, 2, 10", "1,2,10", "[1, 2, 10]", "1 2 10", "(1, 2.0, 10)", "[\"1\", \"2\", \"10\"]"] {
      #expect(try Grader.list.isCorrect(text, expected: "1, 2, 10"), "\(text)")
    }
    for text in ["", "2, 1, 10", "1, 2", "1, 2, 10, 10", "1, 2, 10,", "1 2, 10"] {
      #expect(try !Grader.list.isCorrect(text, expected: "1, 2, 10"), "\(text)")
    }
  }

  @Test func countdownsAreComputedExactly() throws {
    let grader = Grader.countdown(numbers: [8, 8, 3, 3], target: 24)
    for text in ["8 / (3 - 8 / 3)", "8/(3-8/3)", "((8)) / (3 - (8 ÷ 3))", "8 / (3 - 8 / 3) = 24", "$8/(3-8/3)$"] {
      #expect(try grader.isCorrect(text, expected: ""), "\(text)")
    }
    for text in [
      "24", "8 * 3", "8 + 8 + 3 + 3", "8 / (3 - 8 / 3", "8 / (3 - 8 / 3))", "8 / (3 - 8 / 3) = 25", "8 / (8 - 8) * 3", "8 ** 3",
      "8 8 3 3", "", "()", "8 / (3 - 8 / 3) + 0", "88 - 33", "-8 / (8 / 3 - 3) 3", "1e1",
    ] { #expect(try !grader.isCorrect(text, expected: ""), "\(text)") }
    #expect(try Grader.countdown(numbers: [5, 2], target: 3).isCorrect("-2 + 5", expected: ""))
  }

  /// Pairs that MATH's `is_equiv` holds equal, and some that it does not.
  @Test(arguments: [
    ("\\frac{1}{2}", "\\dfrac12"), ("0.5", "\\frac12"), ("\\sqrt3", "\\sqrt{3}"), ("(1, 2)", "\\left(1,2\\right)"),
    ("10\\%", "10"),
    ("x=5", "5"), ("5\\text{ cm}", "5"), ("90^\\circ", "90"), ("\\$12", "12"), ("1,000", "1000"),
    ("\\boxed{\\frac{1}{2}}", "1/2"),
    ("\\text{even}", "even"), ("2\\pi", "2 \\pi"), ("(-\\infty, 3]", "(-\\infty,3]"), (".5", "0.5"),
  ]) func mathematicsIsCompared(left: String, right: String) throws {
    #expect(try Grader.mathematics.isCorrect(left, expected: right))
  }

  @Test func otherMathematicsIsOther() throws {
    for (left, right) in [("2", "2\\pi"), ("(1,2)", "(2,1)"), ("\\frac12", "\\frac13"), ("", "5"), ("\\sqrt{3}", "3")] {
      #expect(try !Grader.mathematics.isCorrect(left, expected: right), "\(left)")
    }
  }

  @Test func theLastWholeAnswerCounts() {
    func tagged(_ text: String) -> String? { AnswerExtraction.tagged.answer(in: text) }
    #expect(tagged("<think>a</think><answer>5</answer>") == "5")
    #expect(tagged("<answer>1</answer> <answer>2</answer>") == "2")
    #expect(tagged("<answer><answer>5</answer></answer>") == "5")
    #expect(tagged("<answer>5</answer><answer>6") == "5")
    #expect(tagged("<think><answer>5</answer>") == nil)
    #expect(tagged("a <think> b </think><answer>5</answer>") == "5")
    #expect(tagged("<answer>1</answer></think><answer>2</answer>") == "2")
    #expect(tagged("5") == nil && tagged("") == nil && tagged("</answer><answer>") == nil)
  }

  @Test func lenientSearchesFindOtherForms() throws {
    func lenient(_ text: String) -> String? { AnswerExtraction.lenient.answer(in: text) }
    #expect(lenient("So \\boxed{\\frac{1}{2}} it is") == "\\frac{1}{2}")
    #expect(lenient("work\n#### 72") == "72")
    #expect(lenient("The answer is: **42**.") == "42**.")
    #expect(lenient("First.\nThen 12\n\n") == "Then 12")
    #expect(lenient("The answer is:\n\n5") == "5")
    #expect(lenient("#### Conclusion\nThe answer is 5") == "5")
    #expect(lenient("Maybe the answer is 4? No.\nAnswer: 5") == "5")
    #expect(lenient("答案是：5") == "5")
    #expect(NumberText.canonical("1e-9223372036854775808") == nil)
    #expect(lenient("\\boxed{1} <answer>2</answer>") == "2")
    #expect(lenient("<think>no end 5") == nil)
    let problem = Problem(question: "", answer: "12", grader: .number)
    #expect(try problem.grade("We get 3 + 9 = 12.", extraction: .lenient).isCorrect)
    #expect(try problem.grade("The answer is **12**.", extraction: .lenient).isCorrect)
    #expect(try !problem.grade("12 is not it, 13 is", extraction: .lenient).isCorrect)
    #expect(try !problem.grade("We get 12.", extraction: .tagged).isCorrect)
  }

  @Test func theFormIsOneThoughtAndOneAnswer() {
    for text in [
      "<think>a</think><answer>1</answer>", " <think>\n</think>\n\n<answer> 1 </answer>\n", "a</think><answer>1</answer>",
    ] {
      #expect(AnswerExtraction.isWellFormed(text), "\(text)")
    }
    for text in [
      "", "1", "<answer>1</answer>", "<think>a</think>1", "<think>a</think><answer>1</answer>.",
      "<think>a</think><answer></answer>",
      "<think>a</think><answer>1</answer><answer>1</answer>", "<think><think>a</think><answer>1</answer>",
      "<think>a</think></think><answer>1</answer>", "<think>a</think><answer><answer>1</answer>",
      "<think>a<answer>1</answer></think>",
      "<think>a</think>b<answer>1</answer>",
    ] { #expect(!AnswerExtraction.isWellFormed(text), "\(text)") }
  }
}

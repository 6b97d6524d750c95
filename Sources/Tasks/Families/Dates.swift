/// Days before and after dates, days between them, days of the week.
public struct Dates: TaskFamily {
  public init() {}

  public let name = "dates"
  public let summary = "Finds dates, days between dates and days of the week."

  private func span(_ difficulty: Int) -> Int { 20 * difficulty * (difficulty + 1) / 2 }

  public func dials(difficulty: Int) -> String { "dates up to \(span(difficulty)) days apart" }

  public func problem(difficulty: Int, random: inout TaskRandom) -> Problem {
    let year = random.integer(1950...2049), month = random.integer(1...12)
    let start = CalendarDate(year: year, month: month, day: random.integer(1...CalendarDate.days(inMonth: month, of: year)))
    let days = random.integer(5...span(difficulty))
    switch random.integer(0...2) {
    case 0: return later(start, days)
    case 1: return between(start, days)
    default: return weekday(start, days)
    }
  }

  /// The date so many days later, with the steps of a person who goes from month to month.
  private func advance(_ start: CalendarDate, _ days: Int, counting: Bool) -> (date: CalendarDate, steps: [String]) {
    var date = start, rest = days, steps: [String] = [], passed = 0
    while rest > date.daysLeftInMonth {
      let used = date.daysLeftInMonth + 1, next = date.nextMonth
      steps.append(
        counting
          ? "From \(date.text) to \(next.text): \(used) days, \(passed) + \(used) = \(passed + used)"
          : "From \(date.text) to \(next.text): \(used) days, \(rest) - \(used) = \(rest - used) left")
      (date, rest, passed) = (next, rest - used, passed + used)
    }
    let end = CalendarDate(year: date.year, month: date.month, day: date.day + rest)
    if rest > 0 {
      steps.append(
        counting
          ? "From \(date.text) to \(end.text): \(rest) days, \(passed) + \(rest) = \(days)"
          : "\(rest) days after \(date.text) is \(end.text)")
    }
    return (end, steps)
  }

  private func later(_ start: CalendarDate, _ days: Int) -> Problem {
    let (end, steps) = advance(start, days, counting: false)
    return Problem(
      question: "Which date is \(days) days after \(start.spoken)? Answer as YYYY-MM-DD.", answer: end.text, grader: .exact,
      reasoning: (steps + ["So it is \(end.text)"]).joined(separator: "\n"), key: "\(start.text)+\(days)")
  }

  private func between(_ start: CalendarDate, _ days: Int) -> Problem {
    let (end, steps) = advance(start, days, counting: true)
    return Problem(
      question: "How many days are there from \(start.spoken) to \(end.spoken)?", answer: "\(days)", grader: .number,
      reasoning: (steps + ["So there are \(days) days"]).joined(separator: "\n"), key: "\(start.text)..\(end.text)")
  }

  private func weekday(_ start: CalendarDate, _ days: Int) -> Problem {
    let (end, steps) = advance(start, days, counting: true)
    let names = CalendarDate.weekdayNames, answer = names[end.weekday], shift = days % 7
    let further = [
      "\(days) - \(days / 7) * 7 = \(shift), so the day of the week moves by \(shift)",
      shift == 0
        ? "It is the same day"
        : "From \(names[start.weekday]) on: " + (1...shift).map { names[(start.weekday + $0) % 7] }.joined(separator: ", "),
      "So it is \(answer)",
    ]
    return Problem(
      question: "\(start.spoken) is a \(names[start.weekday]). Which day of the week is \(end.spoken)?", answer: answer,
      grader: .exact, reasoning: (steps + further).joined(separator: "\n"), key: "weekday \(start.text)..\(end.text)")
  }
}

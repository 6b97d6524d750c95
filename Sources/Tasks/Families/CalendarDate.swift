/// A day of the Gregorian calendar.
struct CalendarDate: Equatable {
  var year: Int
  var month: Int
  var day: Int

  static let monthNames = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
  ]
  static let weekdayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days since 1 March of the year 0.
  var number: Int {
    let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1
  }

  /// 0 is Sunday: 1 March of the year 0 was a Wednesday.
  var weekday: Int { (number + 3) % 7 }

  /// `2024-03-05`
  var text: String {
    func padded(_ value: Int, _ width: Int) -> String {
      String(repeating: "0", count: max(0, width - "\(value)".count)) + "\(value)"
    }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  var spoken: String { "\(day) \(Self.monthNames[month - 1]) \(year)" }

  /// Days to the end of its month.
  var daysLeftInMonth: Int { Self.days(inMonth: month, of: year) - day }

  /// The first day of the next month.
  var nextMonth: CalendarDate {
    month == 12 ? CalendarDate(year: year + 1, month: 1, day: 1) : CalendarDate(year: year, month: month + 1, day: 1)
  }
}

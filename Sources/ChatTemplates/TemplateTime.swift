/// A date and time of day in some time zone, for templates that print today's date.
public struct TemplateTime: Sendable, Equatable {
  public let year: Int
  /// 1 to 12.
  public let month: Int
  /// 1 to 31.
  public let day: Int
  public let hour: Int
  public let minute: Int
  public let second: Int
  /// Days since 1 January 1970.
  private let dayNumber: Int

  /// - Parameters:
  ///   - secondsSince1970: POSIX time.
  ///   - secondsFromGMT: what the local time zone adds at that time.
  public init(secondsSince1970: Int, secondsFromGMT: Int = 0) {
    // A time that no calendar needs is brought near enough for the arithmetic below not to overflow.
    let limit = 1 << 50
    let seconds = min(max(secondsSince1970, -limit), limit) + min(max(secondsFromGMT, -limit), limit)
    let days = Self.floor(seconds, 86_400)
    let rest = seconds - days * 86_400
    dayNumber = days
    (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    // Howard Hinnant's civil_from_days: years start in March, so that the leap day is last.
    let shifted = days + 719_468
    let era = Self.floor(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Midnight of a day.
  /// - Parameter date: as `2026-11-29`, of the years 1 to 9999; nil for what is no day.
  public init?(date: String) {
    let parts = date.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.map(\.count) == [4, 2, 2], date.utf8.allSatisfy({ "0123456789-".utf8.contains($0) }),
      let year = Int(date.prefix(4)), let month = Int(date.dropFirst(5).prefix(2)), let day = Int(date.suffix(2)), year > 0
    else { return nil }
    // Howard Hinnant's days_from_civil.
    let shifted = month > 2 ? year : year - 1, era = shifted / 400, yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    self.init(secondsSince1970: days * 86_400)
    guard (self.year, self.month, self.day) == (year, month, day) else { return nil }
  }

  private static func floor(_ value: Int, _ divisor: Int) -> Int {
    value >= 0 ? value / divisor : (value + 1) / divisor - 1
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
  ]
  private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  private var weekday: Int { ((dayNumber + 4) % 7 + 7) % 7 }

  private var dayOfYear: Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
    return days[month - 1] + day + (isLeap && month > 2 ? 1 : 0)
  }

  /// C's `strftime` in the C locale; nil for a directive that is not known.
  func formatted(_ format: String) -> String? {
    var text = ""
    var scalars = format.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "%" else {
        text.unicodeScalars.append(scalar)
        continue
      }
      guard var directive = scalars.next() else { return nil }
      let isPlain = directive == "-"
      if isPlain {
        guard let next = scalars.next() else { return nil }
        directive = next
      }
      if let number = number(directive) {
        text += isPlain ? String(number.value) : padded(number.value, number.width)
      } else if !isPlain, let words = words(directive) {
        text += words
      } else {
        return nil
      }
    }
    return text
  }

  private func padded(_ value: Int, _ width: Int, with padding: String = "0") -> String {
    let digits = String(value)
    return String(repeating: padding, count: max(0, width - digits.count)) + digits
  }

  private func number(_ directive: Unicode.Scalar) -> (value: Int, width: Int)? {
    switch directive {
    case "Y": (year, 1)
    case "y": ((year % 100 + 100) % 100, 2)
    case "m": (month, 2)
    case "d": (day, 2)
    case "H": (hour, 2)
    case "I": ((hour + 11) % 12 + 1, 2)
    case "M": (minute, 2)
    case "S": (second, 2)
    case "j": (dayOfYear, 3)
    case "w": (weekday, 1)
    case "u": ((weekday + 6) % 7 + 1, 1)
    default: nil
    }
  }

  private func words(_ directive: Unicode.Scalar) -> String? {
    switch directive {
    case "B": Self.months[month - 1]
    case "b", "h": String(Self.months[month - 1].prefix(3))
    case "A": Self.weekdays[weekday]
    case "a": String(Self.weekdays[weekday].prefix(3))
    case "p": hour < 12 ? "AM" : "PM"
    case "e": padded(day, 2, with: " ")
    case "F": "\(year)-\(padded(month, 2))-\(padded(day, 2))"
    case "D": "\(padded(month, 2))/\(padded(day, 2))/\(padded((year % 100 + 100) % 100, 2))"
    case "T": "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))"
    case "R": "\(padded(hour, 2)):\(padded(minute, 2))"
    case "n": "\n"
    case "t": "\t"
    case "%": "%"
    default: nil
    }
  }
}

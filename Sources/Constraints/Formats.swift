/// Formats of strings (JSON Schema 2020-12, validation, section 7.3), as languages that lie within them.
enum Formats {
  /// nil for a format that cannot be kept.
  static func expression(_ name: String) -> ByteExpression? { all[name] }

  /// Formats that the standard defines and that are not in `all`.
  static let refused: Set<String> = [
    "idn-email", "idn-hostname", "iri", "iri-reference", "uri-template", "json-pointer", "relative-json-pointer", "regex",
  ]

  private static let all: [String: ByteExpression] = [
    "date": date, "time": time, "date-time": .sequence([date, .text("T"), time]), "duration": duration, "email": email,
    "hostname": hostname, "ipv4": ipv4, "ipv6": ipv6, "uri": uri, "uri-reference": .choice([uri, path]), "uuid": uuid,
  ]

  private static func digit(_ range: ClosedRange<Character>) -> ByteExpression {
    .bytes((range.lowerBound.asciiValue ?? 0)...(range.upperBound.asciiValue ?? 0))
  }

  private static func choice(_ parts: ByteExpression...) -> ByteExpression { .choice(parts) }
  private static func sequence(_ parts: ByteExpression...) -> ByteExpression { .sequence(parts) }

  private static let letter = choice(digit("a"..."z"), digit("A"..."Z"))
  private static let letterOrDigit = choice(letter, .digit)

  /// RFC 3339; February has 28 days, since leap years are no regular matter worth its states.
  private static let date: ByteExpression = {
    let to28 = choice(
      sequence(.text("0"), digit("1"..."9")), sequence(.text("1"), .digit), sequence(.text("2"), digit("0"..."8")))
    let to30 = choice(to28, .text("29"), .text("30")), to31 = choice(to30, .text("31"))
    let months = choice(
      sequence(
        choice(.text("01"), .text("03"), .text("05"), .text("07"), .text("08"), .text("10"), .text("12")), .text("-"), to31),
      sequence(choice(.text("04"), .text("06"), .text("09"), .text("11")), .text("-"), to30),
      sequence(.text("02-"), to28))
    // Some readers know no year 0.
    let year = sequence(.oneOf("12"), .digits(3, 3))
    return sequence(year, .text("-"), months)
  }()

  private static let hour = choice(sequence(.oneOf("01"), .digit), sequence(.text("2"), digit("0"..."3")))
  private static let sixty = sequence(digit("0"..."5"), .digit)

  private static let time = sequence(
    hour, .text(":"), sixty, .text(":"), sixty, .optional(sequence(.text("."), .digits(1, 6))),
    choice(.text("Z"), sequence(.oneOf("+-"), hour, .text(":"), sixty)))

  private static let duration: ByteExpression = {
    func part(_ unit: String) -> ByteExpression { sequence(.digits(1, 4), .text(unit)) }
    let clock = sequence(
      .text("T"),
      choice(
        sequence(part("H"), .optional(sequence(part("M"), .optional(part("S"))))),
        sequence(part("M"), .optional(part("S"))), part("S")))
    let days = choice(
      sequence(part("Y"), .optional(sequence(part("M"), .optional(part("D"))))), sequence(part("M"), .optional(part("D"))),
      part("D"))
    return sequence(.text("P"), choice(part("W"), clock, sequence(days, .optional(clock))))
  }()

  /// At most six labels of at most twenty letters and digits.
  private static let hostname = sequence(
    letter, .repetition(letterOrDigit, minimum: 0, maximum: 19),
    .repetition(sequence(.text("."), letter, .repetition(letterOrDigit, minimum: 0, maximum: 19)), minimum: 0, maximum: 5))

  private static let email: ByteExpression = {
    let atom = ByteExpression.repetition(choice(letterOrDigit, .oneOf("_+-")), minimum: 1, maximum: 20)
    let domain = ByteExpression.repetition(letterOrDigit, minimum: 1, maximum: 20)
    return sequence(
      atom, .repetition(sequence(.text("."), atom), minimum: 0, maximum: 2), .text("@"), domain,
      .repetition(sequence(.text("."), domain), minimum: 1, maximum: 3))
  }()

  private static let octet = choice(
    .digit, sequence(digit("1"..."9"), .digit), sequence(.text("1"), .digit, .digit),
    sequence(.text("2"), digit("0"..."4"), .digit), sequence(.text("25"), digit("0"..."5")))
  private static let ipv4 = sequence(octet, .text("."), octet, .text("."), octet, .text("."), octet)

  private static let hex = choice(.digit, digit("a"..."f"), digit("A"..."F"))
  private static let ipv6: ByteExpression = {
    let group = ByteExpression.repetition(hex, minimum: 1, maximum: 4)
    func groups(_ minimum: Int, _ maximum: Int) -> ByteExpression {
      maximum == 0
        ? .empty
        : choice(
          minimum == 0 ? .empty : .nothing,
          sequence(group, .repetition(sequence(.text(":"), group), minimum: max(minimum - 1, 0), maximum: maximum - 1)))
    }
    // All eight, or :: in the place of at least two of them.
    return .choice([groups(8, 8)] + (0...6).map { sequence(groups($0, $0), .text("::"), groups(0, 6 - $0)) })
  }()

  private static let uuid: ByteExpression = {
    func part(_ count: Int) -> ByteExpression { .repetition(hex, minimum: count, maximum: count) }
    return sequence(part(8), .text("-"), part(4), .text("-"), part(4), .text("-"), part(4), .text("-"), part(12))
  }()

  private static let pathCharacter = choice(letterOrDigit, .oneOf("-._~!$&'()*+,;=:@"), sequence(.text("%"), hex, hex))
  private static let path = ByteExpression.repetition(
    sequence(.text("/"), .repetition(pathCharacter, minimum: 1, maximum: nil)), minimum: 1, maximum: nil)
  private static let uri: ByteExpression = {
    let rest = ByteExpression.repetition(choice(pathCharacter, .oneOf("/?")), minimum: 0, maximum: nil)
    return sequence(
      choice(.text("https"), .text("http"), .text("ftp"), .text("file")), .text("://"), hostname,
      .optional(sequence(.text(":"), digit("1"..."9"), .digits(0, 3))), .optional(path), .optional(sequence(.text("?"), rest)),
      .optional(sequence(.text("#"), rest)))
  }()
}

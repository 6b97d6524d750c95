/// The filters, with their names in a template.
enum Filter: String, Sendable {
  case abs, capitalize, dictsort, first, float, format, indent, int, items, join, last, length, list, lower, map, max, min
  case reject, rejectattr, replace, reverse, round, safe, select, selectattr, sort, string, sum, title, tojson, trim, unique
  case upper
  case defaultValue = "default"
  /// Parses JSON text. Jinja does not have it, but DeepSeek's templates use it for arguments that arrive as text.
  case fromJSON = "from_json"

  init?(name: String) {
    switch name {
    case "count": self = .length
    case "d": self = .defaultValue
    default: self.init(rawValue: name)
    }
  }
}

/// The tests after `is`, with their names in a template.
enum ValueTest: String, Sendable {
  case boolean, callable, defined, divisibleby, even, float, integer, iterable, lower, mapping, none, number, odd, sameas
  case sequence, string, undefined, upper
  case isTrue = "true"
  case isFalse = "false"
  case isIn = "in"
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="

  init?(name: String) {
    switch name {
    case "eq", "equalto": self = .equal
    case "ne": self = .notEqual
    case "lt", "lessthan": self = .less
    case "le": self = .lessOrEqual
    case "gt", "greaterthan": self = .greater
    case "ge": self = .greaterOrEqual
    default: self.init(rawValue: name)
    }
  }
}

/// The functions that every template can call.
enum GlobalFunction: String, CaseIterable, Sendable {
  case dict, namespace, range
  case raiseException = "raise_exception"
  case currentTime = "strftime_now"

  /// Jinja's functions beside them.
  static let unsupported: Set<String> = ["cycler", "joiner", "lipsum"]
}

/// The methods of Python's builtin types.
enum Methods {
  static let ofString: Set<String> = [
    "capitalize", "count", "endswith", "find", "format", "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper", "join",
    "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "title", "upper",
  ]
  static let ofObject: Set<String> = ["get", "items", "keys", "values"]
  static let ofSequence: Set<String> = ["count", "index"]
  static let ofLoop: Set<String> = ["changed", "cycle"]

  /// Those that would change a list or an object, which the sandbox forbids.
  static let forbiddenOfList: Set<String> = [
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
  ]
  static let forbiddenOfObject: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]

  /// Methods that Python has and this module does not.
  static let unsupportedOfString: Set<String> = [
    "casefold", "center", "encode", "expandtabs", "format_map", "isascii", "isdecimal", "isidentifier", "isnumeric",
    "isprintable", "istitle", "ljust", "maketrans", "rindex", "rjust", "rpartition", "swapcase", "translate", "zfill",
  ]
  static let unsupportedOfObject: Set<String> = ["copy", "fromkeys"]
  static let unsupportedOfList: Set<String> = ["copy"]
  static let unsupportedOfNumber: Set<String> = [
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "fromhex", "hex", "imag",
    "is_integer", "numerator", "real", "to_bytes",
  ]

  static func isUnsupported(_ name: String) -> Bool {
    unsupportedOfString.contains(name) || unsupportedOfObject.contains(name) || unsupportedOfNumber.contains(name)
  }
}

/// The statements of Jinja beside those that are read.
enum UnsupportedStatements {
  static let names: Set<String> = [
    "autoescape", "block", "debug", "do", "extends", "from", "import", "include", "pluralize", "print", "trans",
  ]
}

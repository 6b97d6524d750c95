/// Comma-separated values (RFC 4180): quotes around fields with commas, quotes (doubled) and line ends.
enum CSVRows {
  /// - Returns: the rows that are not empty, with the line where each begins.
  /// - Throws: `TaskError.badFile` for quotes that are not closed.
  static func rows(_ text: String, file: String) throws(TaskError) -> [(line: Int, fields: [String])] {
    var rows: [(Int, [String])] = [], fields: [String] = [], field: [UInt8] = [], line = 1, start = 1
    var isQuoted = false, hasQuotes = false
    func endField() {
      fields.append(String(decoding: field, as: UTF8.self))
      field = []
      hasQuotes = false
    }
    func endRow() {
      if field.last == 0x0D, !hasQuotes { field.removeLast() }
      endField()
      if fields != [""] { rows.append((start, fields)) }
      fields = []
      start = line + 1
    }
    var bytes = Array(text.utf8)[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "\"") where isQuoted:
        if bytes.first == byte {
          field.append(byte)
          bytes.removeFirst()
        } else {
          isQuoted = false
        }
      case UInt8(ascii: "\"") where field.isEmpty && !hasQuotes: (isQuoted, hasQuotes) = (true, true)
      case UInt8(ascii: ",") where !isQuoted: endField()
      case 0x0A:
        if isQuoted { field.append(byte) } else { endRow() }
        line += 1
      default: field.append(byte)
      }
    }
    if isQuoted { throw .badFile(file: file, line: start, reason: "a field in quotes has no end") }
    if !field.isEmpty || !fields.isEmpty { endRow() }
    return rows
  }
}

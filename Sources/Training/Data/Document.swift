internal import SwiftletCheckpoints
internal import SwiftletJSON

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What one document of the training data holds.
enum Document: Sendable {
  case text(String)
  /// A conversation: the messages, and the tools that they may call.
  case chat(messages: JSONValue, tools: JSONValue?)
  /// A text to read, and the one to write behind it.
  case completion(prompt: String, completion: String)

  /// - Throws: `DataError` with file and line when the bytes are no text, or no JSON object with a text or a conversation.
  init(_ raw: RawDocument, _ options: DocumentOptions) throws(DataError) {
    func failure(_ kind: DataError.Kind, _ reason: String, line: Int = 0) -> DataError {
      DataError(kind, file: raw.file.path, line: raw.line + line, reason: reason)
    }
    let bytes = raw.bytes
    guard !raw.isTooLong else {
      throw failure(.longLine, "the line has \(bytes.count) bytes, expected at most \(options.maximumLineBytes)")
    }
    guard !raw.isJSON else {
      self = try Self.parse(bytes, options, failure)
      return
    }
    if let zero = Self.find(0, in: bytes) {
      throw failure(
        .binary, "found a zero byte, expected text: this seems to be a binary file", line: Self.feeds(bytes, before: zero))
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let place = Self.firstBrokenByte(bytes)
      throw failure(
        .notUTF8,
        "found the byte 0x\(String(bytes[place], radix: 16, uppercase: true)) in the place of a UTF-8 character; "
          + "convert the file to UTF-8", line: Self.feeds(bytes, before: place))
    }
    self = .text(text)
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer, _ options: DocumentOptions, _ failure: (DataError.Kind, String, Int) -> DataError
  ) throws(DataError) -> Document {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: bytes.bytes)
    } catch {
      let isText = String(validating: bytes, as: UTF8.self) != nil
      let kind: DataError.Kind = find(0, in: bytes) != nil ? .binary : isText ? .json : .notUTF8
      throw failure(kind, "byte \(error.offset) of the line: \(error.reason)", 0)
    }
    let expected = "an object with \"\(options.textKey)\", \"messages\", or \"prompt\" and \"completion\""
    guard value.members != nil else { throw failure(.field, "found a \(value.typeName), expected \(expected)", 0) }
    if let messages = value["messages"], !messages.isNull {
      guard messages.elements?.isEmpty == false else {
        throw failure(.field, "\"messages\" is a \(messages.typeName) without elements or none, expected an array of messages", 0)
      }
      return .chat(messages: messages, tools: value["tools"])
    }
    if value[options.textKey] == nil, let prompt = value["prompt"], let completion = value["completion"] {
      guard let prompt = prompt.string, let completion = completion.string else {
        throw failure(
          .field,
          "\"prompt\" is a \(prompt.typeName), \"completion\" a \(completion.typeName), expected strings; conversations "
            + "are \"messages\"", 0)
      }
      return .completion(prompt: prompt, completion: completion)
    }
    guard let text = value[options.textKey] else {
      let keys = (value.members ?? []).prefix(8).map { "\"\($0.key)\"" }.joined(separator: ", ")
      throw failure(.field, "found an object with \(keys.isEmpty ? "nothing" : keys), expected \(expected)", 0)
    }
    guard let string = text.string else {
      throw failure(.field, "\"\(options.textKey)\" is a \(text.typeName), expected a string", 0)
    }
    return .text(string)
  }

  private static func find(_ byte: Int32, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let found = memchr(base, byte, bytes.count) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  private static func feeds(_ bytes: UnsafeRawBufferPointer, before end: Int) -> Int {
    bytes[..<end].reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
  }

  private static func firstBrokenByte(_ bytes: UnsafeRawBufferPointer) -> Int {
    var decoder = UTF8(), iterator = bytes.makeIterator(), place = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { place += UTF8.width(scalar) }
    return min(place, bytes.count - 1)
  }
}

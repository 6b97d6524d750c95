import SwiftletJSON
import Testing

@testable import SwiftletGeneration

@Suite struct JSONObjectScannerTests {
  /// How many bytes are accepted, and whether the object is whole then.
  private static func scan(_ bytes: some Sequence<UInt8>) -> (count: Int, isDone: Bool) {
    var scanner = JSONObjectScanner(), count = 0
    for byte in bytes {
      guard scanner.accept(byte) else { break }
      count += 1
    }
    return (count, scanner.isDone)
  }

  @Test(arguments: [
    "{}", " { } ", #"{"a": 1, "b": [1, "x", [], {}, null, true, false, -1.5e+3], "c": {"d": {}}}"#,
    #"{"\"\\\/\b\f\n\r\t\u00e9": "\ud83d\ude00", "é": "}{]["}"#, "{\"a\":0\n,\"b\":\t1}",
  ]) func objectsPass(_ text: String) throws {
    #expect(try JSONValue(parsing: text).members != nil)
    #expect(Self.scan(text.utf8) == (text.utf8.count, true))
    // No shorter text is whole.
    let object = Array(text.utf8.prefix(through: try #require(text.utf8.lastIndex(of: UInt8(ascii: "}")))))
    for length in object.indices { #expect(!Self.scan(object.prefix(length)).isDone) }
  }

  /// Each is refused at the byte behind the bar.
  @Test(arguments: [
    "|[]", "|1", "{|1}", "{\"a\"|}", "{\"a\":|}", "{\"a\":1|]", "{\"a\":1,|}", "{\"a\":[1,|]}", "{\"a\":[1|}", "{|,",
    "{\"a\":tr|y",
    "{\"a\":|'b'", "{\"a\":\"|\n\"", "{\"a\":\"\\|x", "{\"a\":\"\\u12|g", "{\"a\":1 |2", "{\"a\":\"b\"|\"c\"", "{}|}", "{} |x",
    "{\"a\":|é",
    "{\"a\":null|l",
  ]) func othersAreRefusedAtOnce(_ marked: String) {
    let parts = marked.split(separator: "|", omittingEmptySubsequences: false)
    #expect(Self.scan(parts.joined().utf8).count == parts[0].utf8.count)
  }
}

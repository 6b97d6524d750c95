import SwiftletJSON
import Testing

@Suite struct JSONTests {
  @Test func keepsOrderDuplicatesAndCanonicallyEquivalentKeys() throws {
    let value = try JSONValue(parsing: "{\"b\":1,\"a\":[true,null,-2.5e1],\"\u{E9}\":3,\"e\u{301}\":4,\"b\":2}")
    #expect(value.members?.map(\.key).map { Array($0.unicodeScalars.map(\.value)) }.count == 5)
    #expect(value["b"]?.integer == 2)
    #expect(value["\u{E9}"]?.integer == 3)
    #expect(value["e\u{301}"]?.integer == 4)
    #expect(value["a"]?.elements?[2].double == -25)
  }

  @Test func decodesEscapes() throws {
    let value = try JSONValue(parsing: #""\u00e9\n\ud83d\ude00\ud83d\"\\""#)
    #expect(value.string == "é\n😀\u{FFFD}\"\\")
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\" 1}", "01", "1.", "\"\\x\"", "\"a", "tru", "[1] 2", "1e999", "\"\u{1}\"", "{a:1}", "-", "\"\\u12\"",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test func refusesDeepNestingAndBadUTF8() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 100_000)) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
  }

  @Test func writesWhatItRead() throws {
    let text = #"{"a":[1,-2.5,"x\n\"é\u0001",true,null],"b":{}}"#
    #expect(try JSONValue(parsing: text).serialized() == text)
    #expect(JSONValue.string("é😀").serialized(escapingNonASCII: true) == #""\u00e9\ud83d\ude00""#)
  }
}

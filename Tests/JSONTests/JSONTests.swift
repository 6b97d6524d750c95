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

  /// Texts of many small values would take many times their size.
  @Test(arguments: ["1,", "[],", "[1],", #"{"a":1},"#, "[[[[[[[[[[]]]]]]]]]],"]) func refusesWhatTakesTooMuchMemory(
    _ unit: String
  ) {
    let text = "[" + String(repeating: unit, count: 8_000_000 / unit.utf8.count) + "1]"
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.reason.contains("more values than a text of this size may have") == true)
    #expect(throws: Never.self) { try JSONValue(parsing: "[" + String(repeating: unit, count: 10_000) + "1]") }
    // With as much white space as an editor would put there.
    let wide = "[" + String(repeating: unit + String(repeating: " ", count: 20 * unit.utf8.count), count: 100_000) + "1]"
    #expect(throws: Never.self) { try JSONValue(parsing: wide) }
  }

  /// Long lists are counted before they are read, by brackets and commas that stand outside of strings.
  @Test func longListsKeepTheirValues() throws {
    let numbers = (0..<100).map { "\($0)" }.joined(separator: ",")
    let texts = (0..<40).map { #""[,]{}\\\"\#($0)""# }.joined(separator: ", ")
    let members = (0..<50).map { #""\#($0)]":[\#(numbers)]"# }.joined(separator: ",")
    let text = "{\"a\":[\(texts)],\(members),\"b\":[[\(numbers)],{},[],[\(texts)]]}"
    let value = try JSONValue(parsing: text)
    #expect(value.serialized() == text.replacing(", ", with: ","))
    #expect(value.members?.count == 52 && value["b"]?.elements?[3].elements?.count == 40)
    for broken in ["[\(numbers)", "[\(numbers)}", "[\(numbers)]]", "[\(texts),\"", "]\(numbers)"] {
      #expect(throws: JSONError.self) { try JSONValue(parsing: broken) }
    }
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

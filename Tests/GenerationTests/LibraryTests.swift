import Swiftlet
import Testing

/// An app imports `Swiftlet` alone: this file does too, and so compiles only if the names are there.
@Suite struct LibraryTests {
  @Test func whatAnAppNamesComesWithTheLibrary() throws {
    let template: TemplateSource = try TemplateSource(named: "deepseek-v3")
    #expect(template == TemplateSource(BuiltInTemplate.deepseekV3))
    #expect(GenerationOptions(drafting: Drafting.promptLookup).drafting == .promptLookup)
    #expect(throws: JSONError.self) { _ = try Transcript(json: [0x7B]) }
    let schema = JSONValue.object([JSONMember(key: "type", value: "string")])
    #expect(throws: Never.self) { _ = try JSONSchema(schema) }
    // Of these the names alone.
    _ = TemplateError.self
    _ = TokenizerError.self
    _ = DraftCounts.self
  }
}

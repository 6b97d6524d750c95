import ArgumentParser
import SwiftletConstraints
import SwiftletJSON

/// What an answer must be.
struct ConstraintArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Answers with a JSON value of this schema, given as a file or as its text. The model is kept to it, not told of it.",
      valueName: "file|text"))
  var jsonSchema: String?
  @Flag(help: "Answers with a JSON object.")
  var jsonObject = false

  var isGiven: Bool { jsonSchema != nil || jsonObject }

  func validate() throws {
    if jsonSchema != nil, jsonObject { throw ValidationError("--json-schema and --json-object exclude each other.") }
  }

  /// - Throws: `CommandError` for a file that cannot be read, for what is no JSON, and for a schema that cannot be kept.
  func grammar() throws -> Grammar? {
    guard let jsonSchema else { return jsonObject ? .anyObject : nil }
    let isText = jsonSchema.first { !$0.isWhitespace } == "{"
    let bytes: [UInt8]
    do throws(CommandError) {
      bytes = try isText ? Array(jsonSchema.utf8) : InputFile.bytes(jsonSchema)
    } catch {
      throw CommandError("--json-schema: \(error); a schema that is no file begins with {")
    }
    let place = isText ? "--json-schema" : "--json-schema: \(jsonSchema)"
    do {
      return .schema(try JSONSchema(JSONValue(parsing: bytes)))
    } catch let error as JSONError {
      throw CommandError("\(place) is no JSON: \(error)")
    } catch let error as SchemaError {
      throw CommandError("\(place): \(error.pointer): \(error.reason)")
    }
  }
}

internal import SwiftletConstraints
internal import SwiftletJSON

/// What a request says an answer must be.
enum ResponseFormat {
  /// Of `response_format`, in OpenAI's shape; nil for any text.
  static func grammar(_ fields: Fields) throws(APIError) -> Grammar? {
    guard let format = try fields.object("response_format") else { return nil }
    let type = try format.required("type", try format.string("type"))
    switch type {
    case "text": return nil
    case "json_object": return .anyObject
    case "json_schema":
      let named = try format.required("json_schema", try format.object("json_schema"))
      let name = try named.string("name")
      _ = try named.string("description")
      // A schema is always kept, strict or not.
      _ = try named.bool("strict")
      let schema = try named.required("schema", named["schema"])
      return .schema(try Self.schema(schema, parameter: "response_format", of: name.map { "response_format '\($0.prefix(64))'" }))
    default:
      throw .malformed(
        "response_format.type: found \"\(type.prefix(40))\", expected text, json_object or json_schema",
        parameter: "response_format.type")
    }
  }

  /// Of `output_config.format`, in Anthropic's shape; nil for any text.
  static func anthropicGrammar(_ fields: Fields) throws(APIError) -> Grammar? {
    guard let format = try fields.object("output_config")?.object("format") else { return nil }
    let type = try format.required("type", try format.string("type"))
    guard type == "json_schema" else {
      throw .malformed(
        "\(format.name("type")): found \"\(type.prefix(40))\", expected json_schema", parameter: format.name("type"))
    }
    let schema = try format.required("schema", format["schema"])
    return .schema(try Self.schema(schema, parameter: format.name("schema")))
  }

  /// - Parameter place: what the message calls the schema; nil for the parameter's name.
  static func schema(_ value: JSONValue, parameter: String, of place: String? = nil) throws(APIError) -> JSONSchema {
    do throws(SchemaError) { return try JSONSchema(value) } catch { throw refusal(error, parameter: parameter, of: place) }
  }

  /// - Parameter place: what the message calls the schema; nil for the parameter's name.
  static func refusal(_ error: SchemaError, parameter: String, of place: String?) -> APIError {
    .malformed(
      "Invalid schema for \(place ?? parameter): \(error.pointer): \(error.reason)", parameter: parameter, code: "invalid_schema")
  }
}

// A value instead of a text: swift run -c release StructuredOutputExample model.gguf
import Swiftlet

struct City: Decodable {
  var name: String
  var country: String
  var population: Int
}

let schema = try JSONSchema([
  "type": "object",
  "properties": [
    "name": ["type": "string", "maxLength": 40], "country": ["enum": ["France", "Italy", "Spain"]],
    "population": ["type": "integer", "minimum": 0],
  ],
  "required": ["name", "country", "population"], "additionalProperties": false,
])
let session = LanguageModelSession(model: try LanguageModel(path: CommandLine.arguments[1]))
let city = try await session.respond(to: "Describe Paris as JSON.", schema: schema, as: City.self)
print("\(city.name) in \(city.country) has \(city.population) inhabitants.")

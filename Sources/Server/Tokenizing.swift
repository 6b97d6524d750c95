internal import Hummingbird
internal import SwiftletJSON
internal import SwiftletTokenization

/// `POST /tokenize` and `/detokenize`, as llama.cpp's server has them.
extension API {
  /// Tokens whose texts are given: those may take a hundred times as much memory as what was sent.
  private static let mostTexts = 1_000_000

  private static func checkTexts(_ count: Int, _ parameter: String) throws(APIError) {
    guard count > mostTexts else { return }
    throw APIError(
      status: 413, type: "invalid_request_error",
      message: "\(parameter): has \(count) tokens, and texts are given of \(mostTexts) at most", parameter: parameter,
      code: "request_too_large")
  }

  func tokenize(_ request: Request, _ context: ServerContext) async throws -> Response {
    Self.response(
      try await read(request, context) { [models] body in
        let fields = try Fields(body)
        let tokenizer = try models.optionalChoice(fields).served.tokenizer()
        let text = try fields.required("content", try fields.string("content"))
        let ids = tokenizer.encode(
          text, addedTokens: try fields.bool("parse_special") ?? true ? .all : .text,
          addingBeginningOfSequence: try fields.bool("add_special") ?? false)
        guard try fields.bool("with_pieces") ?? false else { return ["tokens": .array(ids.map { .integer(Int($0)) })] }
        try Self.checkTexts(ids.count, "content")
        // A piece that is no text of its own, part of a scalar, is given as bytes.
        let pieces = ids.map { id -> JSONValue in
          let bytes = Array(tokenizer.bytes(of: id))
          let piece: JSONValue =
            if let text = String(validating: bytes, as: UTF8.self) { .string(text) } else {
              .array(bytes.map { .integer(Int($0)) })
            }
          return ["id": .integer(Int(id)), "piece": piece]
        }
        return ["tokens": .array(pieces)]
      })
  }

  func detokenize(_ request: Request, _ context: ServerContext) async throws -> Response {
    Self.response(
      try await read(request, context) { [models] body in
        let fields = try Fields(body)
        let served = try models.optionalChoice(fields).served
        let values = try fields.required("tokens", try fields.array("tokens"))
        try Self.checkTexts(values.count, "tokens")
        let ids = try Self.ids(values, name: "tokens", served)
        return ["content": .string(try served.tokenizer().decode(ids))]
      })
  }

  /// Token ids of a model.
  /// - Throws: `APIError` naming the field.
  static func ids(_ values: [JSONValue], name: String, _ served: ServedModel) throws(APIError) -> [Int32] {
    let size = served.model.loaded.configuration.vocabularySize
    var ids: [Int32] = []
    for (index, value) in values.enumerated() {
      guard let id = value.integer else {
        throw .malformed(
          "\(name)[\(index)]: found \(Fields.kind(value)), expected an integer", parameter: name, code: "invalid_type")
      }
      guard (0..<size).contains(id) else { throw .outOfRange(name, "found token \(id), expected ids from 0 to \(size - 1)") }
      ids.append(Int32(id))
    }
    return ids
  }
}

internal import SwiftletGeneration
internal import SwiftletJSON

extension GenerationOptions {
  /// The options that all endpoints of OpenAI's shape name alike.
  /// - Parameters:
  ///   - advised: for what the request leaves open. A seed is drawn unless it is named, so that answers differ as those of hosted
  ///     models do.
  ///   - vocabularySize: of the model, for the ids of `logit_bias`.
  ///   - leastTokens: the lowest limit of an answer's tokens.
  init(
    _ fields: Fields, advised: GenerationOptions, vocabularySize: Int, leastTokens: Int = 1
  ) throws(APIError) {
    self = advised
    if let value = try fields.number("temperature", in: 0...2) { temperature = value }
    if let value = try fields.number("top_p", in: 0...1) { topP = value }
    if let value = try fields.integer("top_k", in: -1...Int(Int32.max)) { topK = max(0, value) }
    if let value = try fields.number("min_p", in: 0...1) { minP = value }
    if let value = try fields.number("frequency_penalty", in: -2...2) { frequencyPenalty = value }
    if let value = try fields.number("presence_penalty", in: -2...2) { presencePenalty = value }
    if let value = try fields.number("repetition_penalty", in: 0.01...100) { repetitionPenalty = value }
    seed = try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? .random(in: 0 ... .max)
    stop = try Self.stops(fields, "stop")
    if let biases = fields["logit_bias"] { logitBias = try Self.biases(biases, vocabularySize: vocabularySize) }
    let longest = try fields.integer("max_completion_tokens", in: leastTokens ... .max)
    if let value = try fields.integer("max_tokens", in: leastTokens ... .max) ?? longest { maximumResponseTokens = value }
  }

  private static let longestStop = 1000

  /// One text or up to sixteen, none of them empty.
  static func stops(_ fields: Fields, _ key: String) throws(APIError) -> [String] {
    guard let value = fields[key] else { return [] }
    let texts = value.string.map { [$0] } ?? value.elements?.compactMap(\.string)
    guard let texts, texts.count == value.elements?.count ?? 1 else {
      throw fields.failure(key, expected: "a string or an array of strings")
    }
    guard texts.count <= 16 else { throw .outOfRange(key, "found \(texts.count) texts, expected at most 16") }
    // Each token of the answer is compared with them.
    guard texts.allSatisfy({ $0.utf8.count <= longestStop }) else {
      throw .outOfRange(key, "found a text of more than \(longestStop) bytes")
    }
    guard !texts.contains("") else { throw .outOfRange(key, "found an empty text") }
    return texts
  }

  private static func biases(_ value: JSONValue, vocabularySize: Int) throws(APIError) -> [Int32: Double] {
    guard let members = value.members else {
      throw .malformed(
        "logit_bias: found \(Fields.kind(value)), expected an object from token ids to numbers", parameter: "logit_bias",
        code: "invalid_type")
    }
    var biases: [Int32: Double] = [:]
    for member in members {
      guard let id = Int32(member.key), let bias = member.value.double else {
        throw .malformed(
          "logit_bias: found \"\(member.key.prefix(40))\": \(Fields.kind(member.value)), expected token ids with numbers",
          parameter: "logit_bias", code: "invalid_type")
      }
      guard (0..<vocabularySize).contains(Int(id)) else {
        throw .outOfRange("logit_bias", "found token \(id), expected ids from 0 to \(vocabularySize - 1)")
      }
      guard (-100.0...100).contains(bias) else {
        throw .outOfRange("logit_bias", "found \(bias) for token \(id), expected -100 to 100")
      }
      biases[id] = bias
    }
    return biases
  }
}

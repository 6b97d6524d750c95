public import SwiftletJSON

/// How the context of a trained model is made longer before it is trained on: DeepSeek-V3's second stage (report, section 4.3) sets YaRN and
/// goes on with longer and fewer sequences.
public struct ContextExtension: Sendable {
  /// The members of config.json's `rope_scaling`; nil leaves the model's own.
  public var ropeScaling: JSONValue?
  /// The most positions; nil for the original ones times the scaling's factor.
  public var contextLength: Int?

  init(ropeScaling: JSONValue?, contextLength: Int?) {
    self.ropeScaling = ropeScaling
    self.contextLength = contextLength
  }

  /// - Returns: nil where a recipe's `model` changes nothing.
  init?(_ fields: RecipeFields) throws(RecipeError) {
    contextLength = try fields["max_position_embeddings"]?.integer(1...1 << 30)
    if let scaling = fields["rope_scaling"] {
      guard scaling.node.mapping != nil else { throw scaling.wrong("the keys of config.json's rope_scaling, such as type") }
      ropeScaling = try scaling.asJSON()
    }
    if ropeScaling == nil, contextLength == nil { return nil }
  }

  /// Whether a field of config.json is from here, for errors.
  func sets(_ field: String) -> Bool {
    field == "max_position_embeddings" ? contextLength != nil : ropeScaling != nil && field.hasPrefix("rope_scaling")
  }

  /// The model's config.json with the longer context.
  ///
  /// `original_max_position_embeddings` becomes what the model was first trained with, unless the recipe says it.
  func applied(to json: JSONValue) -> JSONValue {
    var members = json.members ?? []
    func set(_ key: String, _ value: JSONValue) {
      if let index = members.firstIndex(where: { $0.key == key }) {
        members[index].value = value
      } else {
        members.append(JSONMember(key: key, value: value))
      }
    }
    if let ropeScaling {
      let before = json["rope_parameters"]?.members == nil ? json["rope_scaling"] : json["rope_parameters"]
      var scaling = ropeScaling.members ?? []
      let key = "original_max_position_embeddings"
      if ropeScaling[key] == nil, let original = before?[key] ?? json[key] ?? json["max_position_embeddings"] {
        scaling.append(JSONMember(key: key, value: original))
      }
      // Version 5 of transformers keeps theta with the scaling; its form before that is read by all versions.
      if let theta = json["rope_parameters"]?["rope_theta"] { set("rope_theta", theta) }
      members.removeAll { $0.key == "rope_parameters" }
      set("rope_scaling", .object(scaling))
      if let factor = ropeScaling["factor"]?.double, let original = JSONValue.object(scaling)[key]?.integer {
        let length = (Double(original) * factor).rounded()
        if length >= 1, length <= 0x1p30 { set("max_position_embeddings", .integer(Int(length))) }
      }
    }
    if let contextLength { set("max_position_embeddings", .integer(contextLength)) }
    return .object(members)
  }
}

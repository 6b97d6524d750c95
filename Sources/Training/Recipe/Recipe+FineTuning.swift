extension Recipe {
  /// Data of conversations: sequences hold whole ones, which do not see each other, unless the recipe says otherwise.
  static func chats(_ value: RecipeValue, _ fields: RecipeFields) throws(RecipeError) -> Data {
    for name in ["separator", "passage", "fill_in_middle"] {
      if let value = fields[name] { throw value.error("is for text alone; a line of JSON is a conversation") }
    }
    let chats = Chats(
      files: try value.strings(), heldOut: try fields.number("held_out", 0...0.9, default: 0.01),
      template: try fields["template"]?.string(), skipsBroken: try fields.bool("skip_broken", default: false))
    return Data(
      source: .chats(chats), packing: try fields.choice("packing", default: .documents),
      masksDocuments: try fields.bool("document_mask", default: true))
  }

  static func lora(_ value: RecipeValue) throws(RecipeError) -> LowRankOptions {
    let fields = try value.fields("rank", "alpha", "targets")
    let rank = try fields.required("rank").integer(1...4096), all = LowRankOptions.allowedTargets
    var targets = all
    if let list = fields["targets"] {
      let names = try list.strings()
      if names != ["all-linear"] {
        for name in names where !all.contains(name) {
          throw list.error("found '\(name)', expected all-linear, or some of \(all.joined(separator: ", "))")
        }
        // In a fixed order, whatever the recipe's.
        targets = all.filter(names.contains)
      }
    }
    return LowRankOptions(rank: rank, alpha: try fields.number("alpha", 1e-6...1e6, default: 2 * Double(rank)), targets: targets)
  }
}

public import SwiftletTensors

extension Recipe {
  /// A teacher whose distribution over the next token a student learns.
  public struct Distillation: Sendable, Equatable {
    /// A folder with config.json and safetensors, or a GGUF file.
    public var teacher: String
    public var options: DistillationOptions
    /// Tokens of a position whose probabilities are compared one by one; the others are one class.
    public var topK: Int
    /// Where the teacher's answers are kept; nil asks it while training.
    public var cache: String?

    init(_ value: RecipeValue) throws(RecipeError) {
      let fields = try value.fields("teacher", "loss", "temperature", "weight", "top_k", "cache")
      teacher = try fields.required("teacher").string()
      options = DistillationOptions(
        divergence: try fields.choice("loss", default: .forward),
        temperature: Float(try fields.number("temperature", 0.05...100, default: 1)),
        weight: Float(try fields.number("weight", 0...1, default: 1)))
      topK = try fields.integer("top_k", 1...4096, default: 64)
      cache = try fields["cache"]?.string()
    }
  }
}

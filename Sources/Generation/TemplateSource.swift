public import SwiftletChatTemplates
public import SwiftletCheckpoints

/// The text of a model's chat template, as its files hold it, or as a person named it.
public struct TemplateSource: Sendable, Equatable {
  public var text: String
  /// The text for conversations with tools, where the model has one of its own for them.
  public var toolText: String?
  /// The file that holds them, for errors; for a built-in template its name.
  public var file: String?

  public init(text: String, toolText: String? = nil, file: String? = nil) {
    self.text = text
    self.toolText = toolText
    self.file = file
  }

  public init(_ template: BuiltInTemplate) { self.init(text: template.source, file: template.rawValue) }

  /// A built-in template by its name, such as `deepseek-v3`, else the Jinja text of a file.
  /// - Throws: `CheckpointError` for a name that is neither.
  public init(named name: String) throws(CheckpointError) {
    if let template = BuiltInTemplate(rawValue: name) {
      self.init(template)
      return
    }
    do throws(CheckpointError) {
      let bytes = try RegularFile(path: name).bytes(maximumBytes: 4 << 20)
      self.init(text: String(decoding: bytes, as: UTF8.self), file: name)
    } catch {
      let names = BuiltInTemplate.allCases.map(\.rawValue).joined(separator: ", ")
      throw CheckpointError(
        file: name, field: "chat template", reason: "is neither one of \(names), nor a file that can be read (\(error.reason))")
    }
  }

  /// The built-in template for an architecture that is published without a template, as DeepSeek-V3.2 is.
  /// - Parameter architecture: `model_type` of config.json, or `general.architecture` of a GGUF file.
  init?(architecture: String?) {
    guard let architecture, ["deepseek_v32", "deepseek32"].contains(architecture) else { return nil }
    self.init(.deepseekV32)
  }

  /// The name of the built-in template that this is; nil for one from a file.
  public var builtInName: String? { file.flatMap(BuiltInTemplate.init).flatMap { $0.source == text ? $0.rawValue : nil } }
}

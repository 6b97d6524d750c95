internal import SwiftletCheckpoints
public import SwiftletGeneration
public import SwiftletTokenization

extension ConversationFormat {
  /// Renders conversations as a model's chat template does.
  /// - Throws: `TemplateError` for a template that is broken or needs more of Jinja than is supported.
  public init(_ source: TemplateSource, tokenizer: Tokenizer) throws {
    let prompt = try ChatPrompt(source, tokenizer: tokenizer)
    let name = String(Checksum64.of(Array((source.text + (source.toolText ?? "")).utf8)), radix: 16)
    self.init(name: name) { messages, tools, opensAnswer in
      try prompt.render(messages, tools: tools, addGenerationPrompt: opensAnswer)
    }
  }
}

internal import SwiftletChatTemplates
internal import SwiftletCheckpoints
public import SwiftletGeneration
public import SwiftletTokenization

extension ConversationFormat {
  /// What templates that print the date are told unless told otherwise, so that every day packs alike.
  public static let defaultDate = "2024-07-26"

  /// Renders conversations as a model's chat template does.
  /// - Parameter date: what the template is told today is, as yyyy-mm-dd.
  /// - Throws: `DataError` for a date that is none; `TemplateError` for a template that is broken or needs more of Jinja than is supported.
  public init(_ source: TemplateSource, tokenizer: Tokenizer, date: String = defaultDate) throws {
    guard let time = TemplateTime(date: date) else {
      throw DataError(.setting, file: "date", reason: "found '\(date)', expected a day such as \(Self.defaultDate)")
    }
    let prompt = try ChatPrompt(source, tokenizer: tokenizer)
    let name = String(Checksum64.of(Array((source.text + (source.toolText ?? "")).utf8)), radix: 16) + " " + date
    self.init(name: name) { messages, tools, opensAnswer in
      try prompt.render(messages, tools: tools, addGenerationPrompt: opensAnswer, time: time)
    }
  }
}

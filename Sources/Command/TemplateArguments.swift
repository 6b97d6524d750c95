import ArgumentParser
import SwiftletGeneration

/// A chat template instead of the model's own.
struct TemplateArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A chat template instead of the model's own: deepseek-v2, -v2.5, -v3, -r1, -v3.1, -v3.2, or a Jinja file.",
      valueName: "name|file"))
  var template: String?

  var source: TemplateSource? {
    get throws { try template.map { name in try TemplateSource(named: name) } }
  }
}

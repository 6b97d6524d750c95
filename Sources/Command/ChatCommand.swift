import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration

struct ChatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat",
    abstract: "Talks with a model.",
    discussion: """
      Ctrl-C stops the answer, Ctrl-D leaves, /help shows the commands, \"\"\"
      begins and ends a message of several lines, or one that begins with a
      slash. When standard input is no terminal, every line is a message, and the
      end of input ends the chat; a message that cannot be answered is reported,
      and the status is 1.

      EXAMPLES
        swiftlet chat
        swiftlet chat deepseek-r1:7b --system "Answer in Chinese."
        printf 'Hi\\nWho are you?\\n' | swiftlet chat smollm2

      ENVIRONMENT
      \(HelpText.generation)
      """)

  @Argument(help: "An alias, org/repo[:quant], or a path; the default model when left out.")
  var model: String?
  @Option(help: ArgumentHelp("What the model is told before all else.", valueName: "text"))
  var system: String?
  @Flag(help: "Shows counts and speeds after each answer.")
  var verbose = false
  @Flag(help: "Prints a JSON object for each answer.")
  var json = false
  @OptionGroup var sampling: SamplingArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  func run() async throws {
    let loaded = try await ModelFinder.load(model, engine, context, template)
    guard loaded.loaded.tokenizer != nil else { throw LanguageModelError.noTokenizer(path: loaded.loaded.path) }
    guard loaded.chatPrompt != nil else { throw LanguageModelError.noChatTemplate(path: loaded.loaded.path) }
    let options = try sampling.options(advised: loaded.loaded.advisedOptions)
    var chat = ChatLoop(model: loaded, system: system, options: options, showsSpeed: verbose, printsJSON: json)
    let isTyped = isatty(STDIN_FILENO) == 1 && Output.isTerminal
    if isTyped, !Output.isDumb {
      try await chat.runOnTerminal()
    } else {
      try await chat.runOnLines(isTyped: isTyped)
    }
  }
}

import ArgumentParser
import SwiftletGeneration

@main
struct SwiftletCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swiftlet",
    abstract: "DeepSeek models on your own machine.",
    discussion: """
      A model is an alias, a repository of the Hugging Face hub (org/repo or
      org/repo:Q4_K_M), or the path of a GGUF file or of a folder with config.json
      and safetensors.

      ALIASES
      \(HelpText.aliases)

      EXAMPLES
        swiftlet chat
        swiftlet run deepseek-r1:1.5b "How many primes are below 30?"

      ENVIRONMENT
      \(HelpText.generation)
      """,
    version: "0.1.0",
    subcommands: [
      RunCommand.self, ChatCommand.self, ServeCommand.self, PullCommand.self, ListCommand.self, ShowCommand.self,
      RemoveCommand.self, CacheCommand.self, KeysCommand.self, UsageCommand.self,
      TokenizeCommand.self, TokenizerCommand.self, DataCommand.self, ConvertCommand.self, MergeCommand.self, LogitsCommand.self,
      PerplexityCommand.self, BenchCommand.self, PlanCommand.self, TrainCommand.self,
      TasksCommand.self, EvalCommand.self, DistillCommand.self,
    ])

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch is CancellationError {
      exit(withError: ExitCode(Interrupt.status))
    } catch let error as GenerationError {
      exit(withError: error.asTyped)
    } catch {
      exit(withError: error)
    }
  }
}

import ArgumentParser
import SwiftletHub
import SwiftletJSON

struct PullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetches a model, or what is new of it.",
    discussion: """
      Ctrl-C keeps what came; the next pull goes on from there.

      EXAMPLES
        swiftlet pull deepseek-r1:1.5b
        swiftlet pull unsloth/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M

      ENVIRONMENT
      \(HelpText.hub)
      """)

  @Argument(help: "An alias or org/repo[:quant]; the default model when left out.")
  var model: String?
  @Flag(help: "Prints one JSON object.")
  var json = false

  func run() async throws {
    let local = try await ModelFinder.local(model) { reference in
      if reference == .embedded { Output.note("\(reference) is part of swiftlet: nothing is fetched.") }
      return try await ModelFinder.fetching { try await $0.pull(reference, progress: $1) }
    }
    let paths =
      switch local.files {
      case .folder(let path): [path]
      case .gguf(let paths): paths
      }
    if json {
      Output.line(["model": .string(local.name), "paths": .array(paths.map { .string($0) })])
    } else {
      for path in paths { Output.write(path + "\n") }
    }
  }
}

import ArgumentParser

@main
struct SwiftletCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swiftlet",
    abstract: "DeepSeek models on your own machine.",
    discussion: """
      A model is an alias (deepseek-r1:1.5b, smollm2), a repository of the Hugging Face hub (org/repo or org/repo:Q4_K_M), or the \
      path of a GGUF file or of a folder with config.json and safetensors.

      EXAMPLES
        swiftlet chat
        swiftlet run deepseek-r1:1.5b "How many primes are below 30?"

      ENVIRONMENT
        SWIFTLET_THREADS    threads at work; the machine's cores unless set
        SWIFTLET_CONTEXT    the most tokens of a conversation
        SWIFTLET_KERNELS    forces a variant of the kernels: generic, avx2, avx512
        HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE    as the Hugging Face hub's own tools read them
        NO_COLOR            no colours when set
      """,
    version: "0.1.0",
    subcommands: [
      RunCommand.self, ChatCommand.self, PullCommand.self, ListCommand.self, ShowCommand.self, RemoveCommand.self,
      TokenizeCommand.self, LogitsCommand.self, PerplexityCommand.self, BenchCommand.self,
    ])
}

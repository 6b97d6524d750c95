// An answer as it is made, its thought apart: swift run -c release StreamExample model.gguf
import Swiftlet

let session = LanguageModelSession(model: try LanguageModel(path: CommandLine.arguments[1]))
for try await answer in session.streamResponse(to: "Is 91 a prime?", options: GenerationOptions(maximumResponseTokens: 200)) {
  print("\u{1B}[2J\(answer.reasoning)\n---\n\(answer.content)")
}

// The shortest conversation: swift run -c release ChatExample model.gguf
import Swiftlet

let model = try LanguageModel(path: CommandLine.arguments[1])
let session = LanguageModelSession(model: model, instructions: "Answer in one sentence.")
print(try await session.respond(to: "Why is the sky blue?").content)
print(try await session.respond(to: "And at sunset?").content)

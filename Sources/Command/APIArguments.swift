import ArgumentParser
import Foundation

/// A server that is asked instead of a model here.
struct APIArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Asks a server with OpenAI's /v1/chat/completions instead of a model here, such as http://127.0.0.1:8080.", valueName: "url"
    ))
  var api: String?
  @Option(help: ArgumentHelp("The variable of the environment that holds the server's key.", valueName: "name"))
  var apiKeyEnv: String?
  @Option(help: ArgumentHelp("The server's model (default: the first that it lists).", valueName: "name"))
  var apiModel: String?

  func validate() throws {
    if api == nil, apiKeyEnv != nil || apiModel != nil { throw ValidationError("--api-key-env and --api-model go with --api.") }
  }

  var key: String? {
    get throws {
      guard let apiKeyEnv else { return nil }
      guard let key = ProcessInfo.processInfo.environment[apiKeyEnv], !key.isEmpty else {
        throw CommandError("--api-key-env: the environment has no variable '\(apiKeyEnv)'; set it to the server's key.")
      }
      // Files of keys end in line feeds, with carriage returns where they come from Windows.
      let trimmed = key.trimmingCharacters(in: .whitespacesAndNewlines)
      guard !trimmed.isEmpty, trimmed.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw CommandError(
          "--api-key-env: what '\(apiKeyEnv)' holds is no key: it has spaces or control characters inside, or nothing.")
      }
      return trimmed
    }
  }
}

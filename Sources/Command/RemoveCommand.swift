import ArgumentParser
import Foundation
import SwiftletHub
import SwiftletJSON

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Removes a model from this machine.",
    discussion: """
      EXAMPLE
        swiftlet rm unsloth/DeepSeek-R1-Distill-Qwen-7B-GGUF:Q4_K_M

      ENVIRONMENT
      \(HelpText.packed)
      \(HelpText.cache)
      """)

  @Argument(
    help:
      "As `swiftlet list` shows it; org/repo without a quantization removes all of the repository, org/repo:incomplete its interrupted downloads."
  )
  var model: String
  @Flag(help: "Prints one JSON object.")
  var json = false

  func run() throws {
    let reference = try ModelReference(model)
    var freed = try ModelHub().remove(reference)
    // With packed weights of models that are not there any more.
    if let cache = try? CacheArguments.parse([]).weightCache() {
      freed += cache.remove(
        cache.entries().filter { entry in entry.model.map { !FileManager.default.fileExists(atPath: $0) } ?? true })
    }
    if json {
      Output.line(["model": .string(model), "freed_bytes": .integer(freed)])
    } else {
      Output.write("Removed \(model), \(ByteCount.text(freed)) freed.\n")
    }
    if reference == .embedded { Output.note("\(reference) is part of swiftlet, and written anew when it is used.") }
  }
}

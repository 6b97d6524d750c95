import ArgumentParser
import Foundation
import SwiftletHub
import SwiftletJSON

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Shows the models on this machine.",
    discussion: """
      The cache is the Hugging Face hub's, so models that other tools fetched are
      listed too.

      EXAMPLE
        swiftlet list --json

      ENVIRONMENT
      \(HelpText.cache)
      """)

  @Flag(help: "Prints a JSON array.")
  var json = false

  func run() throws {
    let models = ModelHub().installedModels()
    if json {
      Output.line(
        .array(
          models.map { model in
            [
              "model": .string(model.reference), "bytes": .integer(model.byteCount), "complete": .bool(model.isComplete),
              "modified": .string(model.modified.formatted(.iso8601)), "paths": .array(model.files.map { .string($0) }),
            ]
          }))
      return
    }
    if models.isEmpty { Output.note("No models yet. `swiftlet pull` fetches the default one.") }
    let rows = models.map { model in
      [
        model.reference, ByteCount.text(model.byteCount), String(model.modified.formatted(.iso8601).prefix(10)),
        model.isComplete ? "" : "incomplete",
      ]
    }
    if !rows.isEmpty { Output.write(Output.table([["MODEL", "SIZE", "MODIFIED", ""]] + rows)) }
  }
}

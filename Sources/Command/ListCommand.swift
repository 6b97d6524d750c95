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
      listed too. One that is part of swiftlet, if it was built with one, comes last.

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
      let listed = models.map { model -> JSONValue in
        [
          "model": .string(model.reference), "bytes": .integer(model.byteCount), "complete": .bool(model.isComplete),
          "modified": .string(model.modified.formatted(.iso8601)), "paths": .array(model.files.map { .string($0) }),
        ]
      }
      return Output.line(.array(listed + (EmbeddedModel.isPresent ? [Self.embedded] : [])))
    }
    if models.isEmpty { Output.note("No models were fetched yet. `swiftlet pull` fetches the default one.") }
    var rows = models.map { model in
      [
        model.reference, ByteCount.text(model.byteCount), String(model.modified.formatted(.iso8601).prefix(10)),
        model.isComplete ? "" : "incomplete",
      ]
    }
    if EmbeddedModel.isPresent {
      rows.append([EmbeddedModel.alias, ByteCount.text(EmbeddedModel.byteCount), "", "in the program"])
    }
    if !rows.isEmpty { Output.write(Output.table([["MODEL", "SIZE", "MODIFIED", ""]] + rows)) }
  }

  /// The model that is part of the program. It has a path once it was used.
  private static var embedded: JSONValue {
    let path = try? ModelFinder.path(of: ModelHub().installedModel(.embedded))
    return [
      "model": .string(EmbeddedModel.alias), "bytes": .integer(EmbeddedModel.byteCount), "complete": true, "modified": .null,
      "paths": .array(path.map { [.string($0)] } ?? []),
    ]
  }
}

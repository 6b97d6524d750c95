import ArgumentParser
import SwiftletServer

/// Where the server's database is.
struct DataArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of the server's database (SWIFTLET_DATA).", valueName: "folder"))
  var data: String?

  func validate() throws {
    if data == "" { throw ValidationError("--data: is empty, expected the name of a folder.") }
  }

  private var folder: String { data ?? Store.defaultFolder() }

  /// Beginnings of prompts are beside the database: they belong to its keys.
  var prefixFolder: String { folder + "/prefixes" }

  func store() throws -> Store { try Store(folder: folder) }
}

import ArgumentParser
import SwiftletServer

/// Where the server's database is.
struct DataArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of the server's database (SWIFTLET_DATA).", valueName: "folder"))
  var data: String?

  func store() throws -> Store { try Store(folder: data ?? Store.defaultFolder()) }
}

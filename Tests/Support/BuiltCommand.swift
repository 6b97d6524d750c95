import Foundation

/// The command that was built with the tests.
package enum BuiltCommand {
  package struct Missing: Error {
    let arguments: [String]
  }

  /// It stands beside the tests' own executable or bundle.
  package static func path() throws -> String {
    for argument in CommandLine.arguments where argument.hasPrefix("/") || argument.contains(".build") {
      var folder = URL(fileURLWithPath: argument)
      while folder.path != "/" {
        folder.deleteLastPathComponent()
        let candidate = folder.appendingPathComponent("swiftlet").path
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue,
          FileManager.default.isExecutableFile(atPath: candidate)
        {
          return candidate
        }
      }
    }
    throw Missing(arguments: CommandLine.arguments)
  }
}

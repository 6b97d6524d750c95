import ArgumentParser
import Foundation
import SwiftletTasks

/// Whether Python that a model wrote may run.
struct PythonArguments: ParsableArguments {
  @Flag(help: "Allows running Python that the model wrote, with limits of time and memory but with your rights.")
  var runPython = false

  /// The python3 that a shell would find; nil where none may run.
  func runner() throws -> PythonRunner? {
    guard runPython else { return nil }
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    guard let path = folders.map({ $0 + "/python3" }).first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      throw CommandError("--run-python: there is no python3 in PATH; install Python 3.")
    }
    return PythonRunner(executable: path)
  }
}

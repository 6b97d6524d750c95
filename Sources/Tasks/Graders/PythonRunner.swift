internal import Foundation

/// Runs Python programs that a model wrote, with bounds on time, memory and output.
///
/// This guards against mistakes, endless loops and full memory. It is no guard against malice: programs may read and write what the
/// user may, so it belongs into a container or a virtual machine.
public struct PythonRunner: Sendable {
  /// The path of python3.
  public var executable: String
  /// Of processor time, and of the clock three times as much.
  public var seconds: Int
  public var memoryBytes: Int
  public var outputBytes: Int
  /// Asked now and then while a program runs; when it says so, the program is ended.
  var isCancelled: @Sendable () -> Bool = { false }

  public init(executable: String, seconds: Int = 5, memoryBytes: Int = 1 << 30, outputBytes: Int = 1 << 20) {
    self.executable = executable
    self.seconds = seconds
    self.memoryBytes = memoryBytes
    self.outputBytes = outputBytes
  }

  /// Whether an answer passes its tests. It blocks for as long as the program runs.
  func passes(_ answer: String, _ test: PythonTest) throws(TaskError) -> Bool {
    let secret = "passed \(UUID().uuidString)"
    let result = try run(test.program(answer, secret: secret))
    return result.status == 0 && result.output.split(separator: "\n").last.map(String.init) == secret
  }

  /// - Returns: the exit status, or a signal's number, and the output.
  func run(_ program: String) throws(TaskError) -> (status: Int32, output: String) {
    // A group of its own, which it leads already on some systems, so that what the program starts can be ended with it.
    // The alarm ends it when nobody is left to do so.
    let head =
      "import os as _os, signal as _signal\n_os.getpgrp() == _os.getpid() or _os.setpgid(0, 0)\n_signal.alarm(\(seconds * 3 + 1))\n"
    // -I: neither the environment nor the folder of the program change what Python imports. The program reads nothing, so it comes
    // on standard input.
    let process = BoundedProcess(
      executable: executable, arguments: ["-I", "-S", "-"], environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"],
      folder: nil, seconds: Double(seconds * 3), processorSeconds: seconds, memoryBytes: memoryBytes, outputBytes: outputBytes,
      fileBytes: outputBytes)
    do {
      let result = try process.run(input: Array((head + program).utf8), isCancelled: isCancelled)
      let status =
        switch result.ending {
        case .exited(let status), .signal(let status): status
        case .late, .tooMuchOutput: SIGKILL
        }
      return (status, String(decoding: result.output, as: UTF8.self))
    } catch {
      throw .pythonFailed("\(error.localizedDescription)")
    }
  }
}

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
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swiftlet-python-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .pythonFailed("\(folder.path): \(error.localizedDescription)")
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    do {
      return try run(program, in: folder)
    } catch let error as TaskError {
      throw error
    } catch {
      throw .pythonFailed("\(error.localizedDescription)")
    }
  }

  private func run(_ program: String, in folder: URL) throws -> (status: Int32, output: String) {
    let source = folder.appendingPathComponent("program.py"), output = folder.appendingPathComponent("output")
    // A group of its own, which it leads already on some systems, so that what the program starts can be ended with it.
    // The alarm ends it when nobody is left to do so.
    let head =
      "import os as _os, signal as _signal\n_os.getpgrp() == _os.getpid() or _os.setpgid(0, 0)\n_signal.alarm(\(seconds * 3 + 1))\n"
    try Data((head + program).utf8).write(to: source)
    try Data().write(to: output)
    let file = try FileHandle(forWritingTo: output)
    defer { try? file.close() }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let limits =
      "ulimit -c 0; ulimit -t \(seconds); ulimit -f \(outputBytes / 512); ulimit -v \(memoryBytes / 1024) 2>/dev/null; "
    // -I: neither the environment nor the folder of the program change what Python imports.
    process.arguments = ["-c", limits + "exec \"$0\" -I -S \"$1\"", executable, source.path]
    process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": folder.path]
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = file
    process.standardError = FileHandle.nullDevice
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    let isLate = ended.wait(timeout: .now() + .seconds(seconds * 3)) == .timedOut
    kill(-process.processIdentifier, SIGKILL)
    if isLate {
      kill(process.processIdentifier, SIGKILL)
      ended.wait()
    }
    let bytes = try FileHandle(forReadingFrom: output).read(upToCount: outputBytes + 512) ?? Data()
    return (isLate ? SIGKILL : process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }
}

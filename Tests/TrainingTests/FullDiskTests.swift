import Foundation
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// A disk of a few megabytes of memory, on Linux for root, which goes when the test is over.
private final class SmallDisk {
  let path: String

  /// nil where it may not be made.
  init?(bytes: Int) {
    path = NSTemporaryDirectory() + "swiftlet-disk-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    guard (try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)) != nil else { return nil }
    guard Self.run("mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path) else {
      rmdir(path)
      return nil
    }
  }

  deinit {
    _ = Self.run("umount", "-l", path)
    rmdir(path)
  }

  private static func run(_ arguments: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  var freeBytes: Int {
    var status = statvfs()
    return statvfs(path, &status) == 0 ? Int(status.f_bavail) * Int(status.f_frsize) : 0
  }

  private var fillerPath: String { path + "/filler" }

  /// Takes all but so many bytes.
  func fill(leaving bytes: Int) throws {
    try Data(count: max(0, freeBytes - bytes)).write(to: URL(fileURLWithPath: fillerPath))
  }

  func empty() { try? FileManager.default.removeItem(atPath: fillerPath) }
}

/// A run whose disk gets full. Where no small disk can be made (no root, no Linux) nothing is tested;
/// `TrainTests` has files that cannot grow everywhere.
@Suite struct FullDiskTests {
  private func trainer(_ folder: DataFolder, out: String) throws -> Trainer {
    var recipe = try RecipeSample.recipe(folder)
    recipe.folder = out
    return try Trainer(PreparedRun(recipe, threadCount: 2), compute: Compute(threadCount: 2))
  }

  private func bits(_ trainer: Trainer) -> [[UInt32]] {
    trainer.model.parameters.parameters.map { $0.value.floatArray().map(\.bitPattern) }
  }

  /// Without room for the next checkpoint, and without room for anything.
  @Test(arguments: [200_000, 0]) func theRunStopsAndGoesOn(_ left: Int) throws {
    let folder = try DataFolder()
    guard let disk = SmallDisk(bytes: 8 << 20) else { return }
    let unbroken = try trainer(folder, out: folder.file("unbroken"))
    #expect(try unbroken.train() == .finished)
    let out = disk.path + "/run"
    do {
      let first = try trainer(folder, out: out)
      let error = try #require(throws: (any Error).self) {
        _ = try first.train(onStep: { record in if record.step == 7 { try? disk.fill(leaving: left) } })
      }
      #expect(disk.freeBytes <= left)
      let checkpoints = RunCheckpoints(runFolder: out), reason = "\(error)"
      // With no room at all the log ends before the next checkpoint is due, or there.
      #expect((8...10).contains((error as? TrainingError)?.step ?? 0), "\(reason)")
      #expect(reason.contains("cannot be written") && (left == 0 || reason.contains("free; make room")), "\(reason)")
      #expect(reason.contains("the last checkpoint is that of step 5"), "\(reason)")
      // The one before is whole, and nothing else is there.
      #expect(try FileManager.default.contentsOfDirectory(atPath: checkpoints.folder) == ["step-00000005"])
      #expect(try checkpoints.state(step: 5).step == 5)
    }
    disk.empty()
    let second = try trainer(folder, out: out)
    #expect(second.run.completedSteps == 5)
    #expect(try second.train() == .finished)
    #expect(bits(second) == bits(unbroken))
    #expect(second.records.map(\.step) == Array(1...20))
    try second.export(to: out + "/model")
  }
}

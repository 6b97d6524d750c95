import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

private let reference = ModelReference.repository(RepositoryReference(repository: "org/model"))

@Suite struct FaultTests {
  @Test func goesOnAfterACut() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .cut(after: 100_000))
    let model = try await scene.hub().pull(reference)
    guard case .gguf(let files) = model.files else { return #expect(Bool(false)) }
    #expect(scene.bytes(files[0]) == content)
    // A slow machine may lose the last of what was under way when the connection closed.
    let starts = scene.server.requests("/storage/").map(\.rangeStart)
    #expect(starts.count == 2 && starts[0] == nil && (1...100_000).contains(starts[1] ?? 0))
  }

  @Test func goesOnAfterAShortAnswer() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .short(100_000))
    scene.server.fail("/storage/", .short(1))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
    #expect(scene.server.requests("/storage/").last?.rangeStart == 100_001)
  }

  @Test func manyCutsAreFineAsLongAsSomethingComes() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .cut(after: 20_000), count: 14)
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  @Test func theNextPullGoesOn() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .cut(after: 100_000))
    scene.server.fail("/storage/", .cut(after: 0), count: 5)
    guard case .connectionFailed(_, _, let attempts) = await hubError({ try await scene.hub().pull(reference) }) else {
      return #expect(Bool(false))
    }
    #expect(attempts == 5)
    let digest = FakeHub.sha256(content)
    #expect(scene.blobs == [digest + ".incomplete"])
    let came = try #require(FileSystem.entry(scene.path("hub/models--org--model/blobs/\(digest).incomplete"))).byteCount
    #expect((1...100_000).contains(came))
    #expect(throws: HubError.notInstalled("org/model")) { try scene.hub().installedModel(reference) }
    #expect(await hubError { try await scene.hub(offline: true).pull(reference) } == .offline("org/model"))
    #expect(scene.hub().installedModels().map(\.isComplete) == [false])

    let log = ProgressLog()
    _ = try await scene.hub().pull(reference) { log.record($0) }
    #expect(scene.server.requests("/storage/").last?.rangeStart == came)
    #expect(scene.blobs == [digest])
    #expect(log.all.contains { $0.completedBytes == came })
  }

  @Test func cancellationKeepsWhatCame() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .slow(bytesPerTenMilliseconds: 1000))
    let hub = scene.hub()
    let task = Task { try await hub.pull(reference) }
    let partial = scene.path("hub/models--org--model/blobs/\(FakeHub.sha256(content)).incomplete")
    while (FileSystem.entry(partial)?.byteCount ?? 0) < 5000 { try await Task.sleep(for: .milliseconds(5)) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try #require(FileSystem.entry(partial)).byteCount >= 5000)
    _ = try await hub.pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
    #expect(try #require(scene.server.requests("/storage/").last?.rangeStart) >= 5000)
  }

  @Test func aServerWithoutRangesStartsAgain() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.ignoreRanges()
    scene.server.fail("/storage/", .cut(after: 100_000))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  @Test func wrongContentIsRemoved() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    var wrong = content
    wrong[1234] ^= 1
    scene.server.fail("/storage/", .content(wrong))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .wrongChecksum(file: "model-Q4_K_M.gguf", expected: FakeHub.sha256(content), found: FakeHub.sha256(wrong)))
    #expect(scene.blobs.isEmpty)
    #expect(FileSystem.entry(scene.path("hub/models--org--model/refs/main")) == nil)
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  @Test func wrongPartialIsRemoved() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    let partial = scene.path("hub/models--org--model/blobs/\(FakeHub.sha256(content)).incomplete")
    try FileSystem.makeFolder((partial as NSString).deletingLastPathComponent)
    try Data(repeating: 7, count: content.count).write(to: URL(fileURLWithPath: partial))
    guard case .wrongChecksum = await hubError({ try await scene.hub().pull(reference) }) else { return #expect(Bool(false)) }
    // One that is too long is started again at once.
    try Data(repeating: 7, count: content.count + 1).write(to: URL(fileURLWithPath: partial))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  @Test func wrongSizesAreRefused() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .content(content + [1]))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .wrongSize(file: "model-Q4_K_M.gguf", expected: content.count, found: content.count + 1))
    let commit = String(repeating: "c0ffee12", count: 5)
    let headers = [("X-Repo-Commit", commit), ("X-Linked-Size", "5"), ("Location", "/storage/\(FakeHub.sha256(content))")]
    scene.server.fail("/resolve/", .status(302, headers: headers))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .wrongSize(file: "model-Q4_K_M.gguf", expected: content.count, found: 5))
  }

  @Test func wrongSmallFileIsRefused() async throws {
    let scene = try Scene()
    scene.server["org/model"] = .init(files: [
      .init(path: "config.json", content: Array("{}".utf8), isLarge: false),
      .init(path: "model.safetensors", content: [1, 2, 3]),
    ])
    scene.server.fail("/config.json", .content(Array("[]".utf8)))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .wrongChecksum(
          file: "config.json", expected: FakeHub.gitBlob(Array("{}".utf8)), found: FakeHub.gitBlob(Array("[]".utf8))))
  }

  @Test func tokenGoesToTheHubOnly() async throws {
    let scene = try Scene()
    let storage = try FakeHub()
    let content = scene.addModel()
    scene.server["org/model"]?.token = "hf_secret"
    storage["org/model"] = scene.server["org/model"]
    scene.server.redirect(to: storage)
    _ = try await scene.hub(token: " hf_secret\n").pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
    #expect(scene.server.requests("/").allSatisfy { $0.headers.first(name: "Authorization") == "Bearer hf_secret" })
    #expect(storage.requests("/").count == 1)
    #expect(storage.requests("/").allSatisfy { $0.headers["Authorization"].isEmpty })
  }

  @Test func followsARenamedRepository() async throws {
    let scene = try Scene()
    let content = scene.addModel("org/renamed")
    let commit = String(repeating: "c0ffee12", count: 5)
    scene.server.fail("/api/models/org/model/revision/main", .redirect("/api/models/org/renamed/revision/main"))
    scene.server.fail("/api/models/org/model/tree", .redirect("/api/models/org/renamed/tree/\(commit)?recursive=true"))
    scene.server.fail("/org/model/resolve", .redirect("/org/renamed/resolve/\(commit)/model-Q4_K_M.gguf"))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  /// The body of a redirect comes byte by byte, for ten minutes.
  @Test(.timeLimit(.minutes(1))) func doesNotWaitForWhatARedirectSays() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/revision/main", .redirect("/api/models/org/model/revision/main", slowBody: 60_000))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }

  @Test(arguments: ["ftp://127.0.0.1/x", "file:///etc/passwd", "loop"])
  func refusesOtherRedirects(target: String) async throws {
    let scene = try Scene()
    scene.addModel()
    let target = target == "loop" ? "/api/models/org/model/revision/main" : target
    scene.server.fail("/revision/", .redirect(target), count: 100)
    guard case .malformedResponse = await hubError({ try await scene.hub().pull(reference) }) else { return #expect(Bool(false)) }
  }

  @Test func saysWhatARefusalMeans() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server["org/model"]?.token = "right"
    #expect(await hubError { try await scene.hub().pull(reference) } == .unauthorized("org/model", hasToken: false))
    #expect(await hubError { try await scene.hub(token: "wrong").pull(reference) } == .unauthorized("org/model", hasToken: true))
    scene.server["org/model"]?.isGated = true
    #expect(await hubError { try await scene.hub().pull(reference) } == .gated("org/model", hasToken: false))
    #expect(await hubError { try await scene.hub(token: "wrong").pull(reference) } == .gated("org/model", hasToken: true))
    _ = try await scene.hub(token: "right").pull(reference)
    scene.server.fail("/revision/", .status(403))
    #expect(await hubError { try await scene.hub().pull(reference) } == .forbidden("org/model", hasToken: false))
    scene.server.fail("/revision/", .status(418))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .unexpectedStatus(418, url: scene.server.endpoint + "/api/models/org/model/revision/main"))
    #expect(HubError.gated("org/model", hasToken: false).description.contains("accept its licence"))
  }

  @Test func saysWhatIsNotThere() async throws {
    let scene = try Scene()
    scene.addModel()
    #expect(
      await hubError { try await scene.hub().pull(ModelReference("org/other")) }
        == .repositoryNotFound("org/other", hasToken: false))
    #expect(
      await hubError { try await scene.hub().pull(ModelReference("org/model@v9")) }
        == .revisionNotFound("v9", repository: "org/model"))
    #expect(
      await hubError { try await scene.hub().pull(ModelReference("org/model:Q8_0")) }
        == .quantizationNotFound("Q8_0", place: "org/model", available: ["Q4_K_M"]))
    scene.server.fail("/resolve/", .status(404, headers: [("X-Error-Code", "EntryNotFound")]))
    #expect(
      await hubError { try await scene.hub().pull(reference) } == .fileNotFound("model-Q4_K_M.gguf", repository: "org/model"))
    scene.server["org/model"]?.files = [.init(path: "README.md", content: [1], isLarge: false)]
    #expect(await hubError { try await scene.hub().pull(reference) } == .noModelFiles(place: "org/model", found: ["README.md"]))
  }

  @Test func waitsAsAsked() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/revision/", .status(429, headers: [("Retry-After", "1")]))
    var hub = scene.hub()
    let log = WaitLog()
    hub.configuration.onWait = { log.record($0) }
    let start = ContinuousClock.now
    _ = try await hub.pull(reference)
    #expect(start.duration(to: .now) >= .seconds(1))
    #expect(log.all == ["waiting 1 s: 127.0.0.1 limits requests (status 429)"])
  }

  @Test func saysThatAnotherFetches() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    let path = scene.path("hub/.locks/models--org--model/\(FakeHub.sha256(content)).lock")
    guard let lock = try FileLock(tryingPath: path) else { return #expect(Bool(false)) }
    var hub = scene.hub()
    let log = WaitLog()
    hub.configuration.onWait = { log.record($0) }
    let task = Task { [hub] in try await hub.pull(reference) }
    while log.all.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    _ = consume lock
    _ = try await task.value
    #expect(log.all == ["waiting: another process fetches this model"])
  }

  @Test func givesUpOnALimit() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/revision/", .status(429), count: 100)
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .rateLimited(host: "127.0.0.1", attempts: 5, retryAfterSeconds: nil))
    #expect(scene.server.requests("/revision/").count == 5)
  }

  @Test func doesNotWaitForAnHour() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/revision/", .status(429, headers: [("Retry-After", "3600")]))
    #expect(
      await hubError { try await scene.hub().pull(reference) }
        == .rateLimited(host: "127.0.0.1", attempts: 1, retryAfterSeconds: 3600))
  }

  @Test func triesAgainAfterServerErrors() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/revision/", .status(500))
    scene.server.fail("/tree/", .status(503))
    scene.server.fail("/resolve/", .status(502), count: 2)
    scene.server.fail("/storage/", .status(504))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
    scene.server.fail("/revision/", .status(500), count: 5)
    guard case .serverFailed(500, _, 5) = await hubError({ try await scene.hub().pull(reference) }) else {
      return #expect(Bool(false))
    }
  }

  @Test func anExpiredSignatureIsRenewed() async throws {
    let scene = try Scene()
    let storage = try FakeHub()
    let content = scene.addModel()
    storage["org/model"] = scene.server["org/model"]
    scene.server.redirect(to: storage)
    storage.fail("/storage/", .status(403))
    _ = try await scene.hub().pull(reference)
    #expect(scene.blobs == [FakeHub.sha256(content)])
    #expect(scene.server.requests("/resolve/").count == 2)
  }

  @Test func saysThatNobodyAnswers() async throws {
    let scene = try Scene()
    var hub = scene.hub()
    // The port of a server that is gone.
    hub.configuration.endpoint = try FakeHub().endpoint
    let error = await hubError { try await hub.pull(reference) }
    guard case .connectionFailed("127.0.0.1", let reason, 3)? = error else { return #expect(Bool(false)) }
    #expect(reason.lowercased().contains("refused"))
    hub.configuration.endpoint = "nonsense"
    #expect(await hubError { try await hub.pull(reference) } == .invalidEndpoint("nonsense"))
  }

  @Test func silenceEnds() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/storage/", .slow(bytesPerTenMilliseconds: 0), count: 10)
    var hub = scene.hub()
    hub.configuration.readTimeout = .milliseconds(100)
    guard case .connectionFailed = await hubError({ try await hub.pull(reference) }) else { return #expect(Bool(false)) }
  }

  @Test func checksTheSpaceBefore() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    var hub = scene.hub()
    hub.configuration.freeSpace = { _ in 1000 }
    let blobs = scene.path("hub/models--org--model/blobs")
    #expect(await hubError { try await hub.pull(reference) } == .diskFull(folder: blobs, needed: content.count, available: 1000))
    #expect(scene.server.requests("/resolve/").isEmpty)
    // What is there already needs no space.
    scene.server.fail("/storage/", .cut(after: 299_000))
    _ = try await scene.hub().pull(reference)
    _ = try await hub.pull(reference)
  }

  #if os(Linux)
  @Test func saysThatTheDiskIsFull() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    let blobs = scene.path("hub/models--org--model/blobs")
    try FileSystem.makeFolder(blobs)
    // Every write there fails as on a full disk.
    try FileSystem.link(blobs + "/\(FakeHub.sha256(content)).incomplete", to: "/dev/full")
    guard case .diskFull(blobs, content.count, _) = await hubError({ try await scene.hub().pull(reference) }) else {
      return #expect(Bool(false))
    }
    #expect(scene.server.requests("/storage/").count == 1)
  }
  #endif

  @Test func saysWhereItCannotWrite() async throws {
    let scene = try Scene()
    scene.addModel()
    var hub = scene.hub()
    hub.configuration.cache = "/dev/null/hub"
    guard case .fileSystem(_, "/dev/null/hub", _) = await hubError({ try await hub.pull(reference) }) else {
      return #expect(Bool(false))
    }
  }
}

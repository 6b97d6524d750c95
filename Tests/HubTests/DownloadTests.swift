import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

private let reference = ModelReference.repository(RepositoryReference(repository: "org/model"))

@Suite struct DownloadTests {
  @Test func fetchesIntoTheHubsLayout() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    let log = ProgressLog()
    let model = try await scene.hub().pull(reference) { log.record($0) }

    let commit = String(repeating: "c0ffee12", count: 5)
    let file = scene.path("hub/models--org--model/snapshots/\(commit)/model-Q4_K_M.gguf")
    #expect(
      model
        == LocalModel(
          ModelFiles(format: .gguf, paths: [file.components(separatedBy: "/").last!]),
          in: (file as NSString).deletingLastPathComponent, name: "org/model"))
    #expect(scene.bytes(file) == content)
    let digest = FakeHub.sha256(content)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: file) == "../../blobs/" + digest)
    #expect(scene.blobs == [digest])
    #expect(scene.bytes(scene.path("hub/models--org--model/refs/main")) == Array(commit.utf8))
    #expect(FileSystem.entry(scene.path("hub/.locks/models--org--model/\(digest).lock")) != nil)
    #expect(FileSystem.entry(scene.path("hub/CACHEDIR.TAG")) != nil)

    let last = try #require(log.all.last)
    #expect(last.completedBytes == content.count && last.totalBytes == content.count)
    #expect(last.file == "model-Q4_K_M.gguf" && last.fileCount == 1)
    #expect(zip(log.all, log.all.dropFirst()).allSatisfy { $0.completedBytes <= $1.completedBytes })
  }

  @Test func fetchesNothingTwice() async throws {
    let scene = try Scene()
    scene.addModel()
    let first = try await scene.hub().pull(reference)
    let count = scene.server.requests("/resolve/").count
    #expect(try await scene.hub().pull(reference) == first)
    #expect(scene.server.requests("/resolve/").count == count)
    #expect(try await scene.hub().model(reference) == first)
    #expect(try scene.hub(offline: true).installedModel(reference) == first)
    #expect(try await scene.hub(offline: true).pull(reference) == first)
  }

  @Test func fetchesSafetensorsWithFolders() async throws {
    let scene = try Scene()
    let names = ["config.json", "tokenizer.json", "model.safetensors.index.json", "other/config.json", "training.py"]
    let weights = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    scene.server["org/model"] = .init(
      files: names.map { .init(path: $0, content: Array($0.utf8), isLarge: false) }
        + weights.enumerated().map { .init(path: $1, content: Scene.content(50_000, seed: UInt64($0))) })
    let log = ProgressLog()
    let model = try await scene.hub().pull(reference) { log.record($0) }
    guard case .folder(let folder) = model.files else { return #expect(Bool(false), "no folder: \(model)") }
    #expect(FileSystem.names(in: folder) == (names.prefix(3) + weights).sorted())
    #expect(scene.bytes(folder + "/config.json") == Array("config.json".utf8))
    #expect(log.all.last?.fileCount == 5)
    // A small file's blob is named as git names it.
    let link = try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/config.json")
    #expect(link == "../../blobs/" + FakeHub.gitBlob(Array("config.json".utf8)))
  }

  @Test func fetchesSplitFilesInAFolder() async throws {
    let scene = try Scene()
    let paths = (1...3).map { "Model-Q4_K_M/Model-Q4_K_M-0000\($0)-of-00003.gguf" }
    scene.server["org/model"] = .init(
      files: paths.enumerated().map { .init(path: $1, content: Scene.content(1000, seed: UInt64($0))) })
    let model = try await scene.hub().pull(ModelReference("org/model:q4_k_m"))
    guard case .gguf(let files) = model.files else { return #expect(Bool(false), "no GGUF: \(model)") }
    #expect(files.map { ($0 as NSString).lastPathComponent } == paths.map { ($0 as NSString).lastPathComponent })
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: files[0]).hasPrefix("../../../blobs/"))
    #expect(files.allSatisfy { scene.bytes($0)?.count == 1000 })
    // One part alone is no model, and the path of one part stands for all.
    try FileSystem.remove(files[1])
    #expect(throws: HubError.notInstalled("org/model")) { try scene.hub().installedModel(reference) }
    #expect(throws: HubError.incompleteSplit(file: files[0], missing: ["Model-Q4_K_M-00002-of-00003.gguf"])) {
      try scene.hub().installedModel(.path(files[0]))
    }
  }

  /// What cannot be run is refused before it comes, unless it is fetched for its own sake.
  @Test func fetchesToRunOnlyWhatCanRun() async throws {
    let scene = try Scene()
    let names = ["m-IQ2_XS.gguf", "m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf", "m-Q8_0.gguf"]
    scene.server["org/model"] = .init(
      files: names.enumerated().map { .init(path: $1, content: Scene.content(1000, seed: UInt64($0))) })
    let refused = await hubError { try await scene.hub().model(ModelReference("org/model:IQ2_XS")) }
    guard case .cannotRun("org/model:IQ2_XS", let reason, ["Q4_K_M", "Q8_0"])? = refused else { return #expect(Bool(false)) }
    #expect(reason.contains("types of IQ2_XS"))
    #expect(scene.server.requests("/storage/").isEmpty)
    #expect(try await scene.hub().pull(ModelReference("org/model:IQ2_XS")).name == "org/model:IQ2_XS")
    try FileSystem.remove(scene.path("hub"))
    guard case .gguf(let files) = try await scene.hub().model(reference).files else { return #expect(Bool(false)) }
    #expect(files.map { ($0 as NSString).lastPathComponent } == ["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf"])
    scene.server["org/other"] = .init(files: [.init(path: "m-IQ2_XXS.gguf", content: [1])])
    let error = await hubError { try await scene.hub().model(ModelReference("org/other")) }
    #expect(error?.description.contains("no file that can") == true)
  }

  @Test func readsAllPagesOfAListing() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server["org/model"]?.pageSize = 1
    _ = try await scene.hub().pull(reference)
    #expect(scene.server.requests("/tree/").count == 2)
  }

  @Test func refusesANextPageElsewhere() async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail(
      "/tree/", .status(200, headers: [("Link", "<http://127.0.0.2:1/api/models/org/model/tree/x>; rel=\"next\"")]))
    guard case .malformedResponse = await hubError({ try await scene.hub().pull(reference) }) else { return #expect(Bool(false)) }
  }

  @Test(arguments: ["../x.gguf", "/x.gguf", "a/../../x.gguf", "a//x.gguf", "a/./x.gguf", "..\\x.gguf", ""])
  func refusesNamesThatLeaveTheFolder(path: String) async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server["org/model"]?.files.append(.init(path: path, content: [1]))
    #expect(await hubError { try await scene.hub().pull(reference) } == .unsafeFileName(path, repository: "org/model"))
    #expect(scene.blobs.isEmpty)
  }

  @Test(arguments: [
    "", "[]", "{}", "{\"sha\":1}", "{\"sha\":\"../../../../tmp/x\"}", "{\"sha\":\"ABCDEF0123456789ABCDEF0123456789ABCDEF01\"}",
    String(repeating: "[", count: 100_000),
  ])
  func refusesBrokenDescriptions(text: String) async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/revision/", .body(text))
    guard case .malformedResponse = await hubError({ try await scene.hub().pull(reference) }) else { return #expect(Bool(false)) }
  }

  @Test(arguments: [
    "", "{}", "[{\"type\":\"file\"}]", "[{\"type\":\"file\",\"path\":\"x.gguf\",\"oid\":\"../../x\",\"size\":1}]",
    "[{\"type\":\"file\",\"path\":\"x.gguf\",\"oid\":\"0123456789012345678901234567890123456789\",\"size\":-1}]",
    "[{\"type\":\"file\",\"path\":\"x.gguf\",\"oid\":\"0123456789012345678901234567890123456789\",\"size\":1e300}]",
    // The sum of its sizes is no Int.
    """
    [{"type":"file","path":"x-00001-of-00002.gguf","oid":"0123456789012345678901234567890123456789","size":9223372036854775807},
    {"type":"file","path":"x-00002-of-00002.gguf","oid":"0123456789012345678901234567890123456789","size":9223372036854775807}]
    """,
  ])
  func refusesBrokenListings(text: String) async throws {
    let scene = try Scene()
    scene.addModel()
    scene.server.fail("/tree/", .body(text))
    guard case .malformedResponse = await hubError({ try await scene.hub().pull(reference) }) else { return #expect(Bool(false)) }
  }

  @Test func keepsTheOldSnapshotUntilTheNewOneIsComplete() async throws {
    let scene = try Scene()
    scene.addModel()
    let old = try await scene.hub().pull(reference)
    scene.server["org/model"] = .init(
      commit: String(repeating: "beef0123", count: 5),
      files: [.init(path: "model-Q4_K_M.gguf", content: Scene.content(1000, seed: 9))])
    scene.server.fail("/storage/", .status(500), count: 5)
    _ = await hubError { try await scene.hub().pull(reference) }
    #expect(try scene.hub().installedModel(reference) == old)
    let new = try await scene.hub().pull(reference)
    #expect(new != old)
    #expect(try scene.hub().installedModel(reference) == new)
  }

  @Test func twoAtOnceFetchOnce() async throws {
    let scene = try Scene()
    let content = scene.addModel()
    scene.server.fail("/storage/", .slow(bytesPerTenMilliseconds: 10_000))
    async let first = scene.hub().pull(reference)
    async let second = scene.hub().pull(reference)
    let models = try await [first, second]
    #expect(models[0] == models[1])
    #expect(scene.server.requests("/storage/").count == 1)
    #expect(scene.blobs == [FakeHub.sha256(content)])
  }
}

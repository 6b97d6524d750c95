import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

@Suite(.enabled(if: EmbeddedModel.isPresent)) struct EmbeddedTests {
  private static let file = "swiftlet/\(EmbeddedModel.folderName)/swiftlet-reasoner.gguf"

  /// Without a network, and with a folder of temporary files of its own.
  private func scene() throws -> (ModelHub, Scene) {
    let scene = try Scene()
    var hub = scene.hub(offline: true)
    hub.configuration.temporaryFolder = scene.path("temporary")
    try FileSystem.makeFolder(hub.configuration.temporaryFolder)
    return (hub, scene)
  }

  private func path(_ local: LocalModel) throws -> String {
    guard case .gguf(let paths) = local.files else { return "" }
    return try #require(paths.first)
  }

  @Test func isSmallEnoughToShip() {
    #expect(EmbeddedModel.byteCount <= 24_000_000)
    #expect(EmbeddedModel.data.starts(with: Array("GGUF".utf8)))
    #expect(EmbeddedModel.folderName.count == "reasoner-".count + 12)
  }

  @Test func isWrittenAtFirstUseAlone() async throws {
    let (hub, scene) = try scene()
    #expect(throws: HubError.notInstalled("reasoner")) { try hub.installedModel(.embedded) }
    let local = try await hub.model(.embedded)
    #expect(local.name == "reasoner" && local.files == .gguf([scene.path(Self.file)]))
    #expect(FileManager.default.contents(atPath: scene.path(Self.file)) == EmbeddedModel.data)
    let folder = scene.path("swiftlet/" + EmbeddedModel.folderName)
    #expect(FileSystem.names(in: folder) == ["generation_config.json", "swiftlet-reasoner.gguf"])
    let written = FileSystem.entry(scene.path(Self.file))?.modified
    #expect(try await hub.model(.embedded) == local)
    #expect(try await hub.pull(.embedded) == local)
    #expect(FileSystem.entry(scene.path(Self.file))?.modified == written)
    #expect(scene.server.requests("/").isEmpty && FileSystem.names(in: scene.path("temporary")).isEmpty)
  }

  @Test func aDamagedCopyIsWrittenAnew() async throws {
    let (hub, scene) = try scene()
    let path = scene.path(Self.file)
    var other = EmbeddedModel.data
    other[other.count / 2] ^= 1
    for content in [Data(), EmbeddedModel.data.dropLast(), other] {
      _ = try await hub.pull(.embedded)
      try Data(content).write(to: URL(fileURLWithPath: path))
      // As a process leaves it that is killed.
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path + ".incomplete"))
      #expect(throws: HubError.notInstalled("reasoner")) { try hub.installedModel(.embedded) }
      _ = try await hub.model(.embedded)
      #expect(FileManager.default.contents(atPath: path) == EmbeddedModel.data)
      #expect(FileSystem.entry(path + ".incomplete") == nil)
    }
  }

  @Test func otherVersionsGo() async throws {
    let (hub, scene) = try scene()
    let old = scene.path("swiftlet/reasoner-0123456789ab")
    try FileSystem.makeFolder(old)
    try Data([1]).write(to: URL(fileURLWithPath: old + "/swiftlet-reasoner.gguf"))
    _ = try await hub.model(.embedded)
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks", EmbeddedModel.folderName])
  }

  @Test func twoAtOnceWriteOneCopy() async throws {
    let (hub, scene) = try scene()
    async let first = hub.model(.embedded)
    async let second = hub.model(.embedded)
    let models = try await [first, second]
    #expect(models[0] == models[1])
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks", EmbeddedModel.folderName])
  }

  @Test func isRemovedFromTheDisk() async throws {
    let (hub, scene) = try scene()
    #expect(try hub.remove(.embedded) == 0)
    _ = try await hub.model(.embedded)
    #expect(try hub.remove(.embedded) >= EmbeddedModel.byteCount)
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
    _ = try await hub.model(.embedded)
  }

  /// A home in which nothing can be made: it is a file.
  @Test func temporaryFilesTakeWhatTheHomeCannot() async throws {
    let (prepared, scene) = try scene()
    var hub = prepared
    let home = scene.path("home")
    try Data().write(to: URL(fileURLWithPath: home))
    hub.configuration.home = home
    let local = try await hub.model(.embedded)
    let root = scene.path("temporary/swiftlet-\(geteuid())")
    #expect(try path(local) == "\(root)/\(EmbeddedModel.folderName)/swiftlet-reasoner.gguf")
    #expect(try hub.installedModel(.embedded) == local)
    #expect(try hub.remove(.embedded) >= EmbeddedModel.byteCount)

    // What others may write to is not used, not even by root.
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: root)
    let error = try #require(await hubError { try await hub.model(.embedded) })
    #expect(error.description.contains(home) && error.description.contains(root) && error.description.contains("Set HF_HOME"))
    try FileSystem.remove(root)
    try FileSystem.link(root, to: scene.path("elsewhere"))
    _ = await hubError { try await hub.model(.embedded) }
    #expect(FileSystem.entry(scene.path("elsewhere")) == nil)
  }

  @Test func aCopyThatCannotBeWrittenLeavesNothing() async throws {
    let (hub, scene) = try scene()
    // A folder in the file's place.
    try FileSystem.makeFolder(scene.path(Self.file) + "/full")
    let local = try await hub.model(.embedded)
    #expect(try path(local).hasPrefix(scene.path("temporary")))
    #expect(FileSystem.names(in: scene.path("swiftlet")) == [".locks"])
  }
}

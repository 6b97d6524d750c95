import Foundation
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletMutationCases
import Testing

/// Binds a socket to the path, which stays there.
private func bindSocket(to path: String) throws {
  #if canImport(Darwin)
  let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
  #else
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  #endif
  defer { close(descriptor) }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  // Names of sockets have about a hundred bytes.
  let short = "/tmp/swiftlet-\(UUID().uuidString.prefix(8))"
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  try #require(result == 0 && rename(short, path) == 0)
}

/// What stands where a file is expected: each ends in an error that names it, at once.
enum OddFile: CaseIterable {
  case missing, danglingLink, loop, folder, pipe, socket, device, empty

  func make(at path: String) throws {
    try? FileManager.default.removeItem(atPath: path)
    switch self {
    case .missing: break
    case .danglingLink: try #require(symlink("nowhere", path) == 0)
    case .loop: try #require(symlink((path as NSString).lastPathComponent, path) == 0)
    case .folder: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    case .pipe: try #require(mkfifo(path, 0o600) == 0)
    case .socket: try bindSocket(to: path)
    case .device: try #require(symlink("/dev/zero", path) == 0)
    case .empty: try Data().write(to: URL(fileURLWithPath: path))
    }
  }

  /// What the error says.
  var reason: String {
    switch self {
    case .missing: "No such file"
    case .danglingLink: "symbolic link to a file that is not there"
    case .loop: "Too many levels of symbolic links"
    case .folder: "is a folder, expected a file"
    case .pipe: "is a pipe, expected a regular file"
    case .socket: "cannot be opened"
    case .device: "expected a regular file"
    case .empty: "is empty"
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct OddFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The error that comes at once.
  private func refusal(_ odd: OddFile, _ path: String, _ body: () throws -> Void) throws {
    let start = ContinuousClock.now
    let error = #expect(throws: CheckpointError.self, "\(odd)") { try body() }
    #expect(ContinuousClock.now - start < .seconds(2))
    #expect(
      error?.file == path && error?.field == "file" && error?.reason.contains(odd.reason) == true, "\(odd): \(error as Any)")
  }

  private func model() throws {
    for name in ["config.json", "model.safetensors"] {
      try folder.write(Seeds.bytes("\(Seeds.checkpoints)/llama-mha/\(name)"), as: name)
    }
  }

  @Test(arguments: OddFile.allCases) func isNoGGUFFile(_ odd: OddFile) throws {
    let path = folder.path("model.gguf")
    try odd.make(at: path)
    try refusal(odd, path) { _ = try GGUFFile(path: path) }
    if odd != .folder {
      try refusal(odd, path) { _ = try LoadedModel(path: path) }
      try refusal(odd, path) { _ = try LoadedModel.tokenizer(path: path) }
      try refusal(odd, path) { _ = try LoadedModel.template(path: path) }
    }
  }

  @Test(arguments: OddFile.allCases) func isNoPartOfAGGUFFile(_ odd: OddFile) throws {
    for name in ["split-00001-of-00003.gguf", "split-00002-of-00003.gguf", "split-00003-of-00003.gguf"] {
      try folder.write(Seeds.bytes("CheckpointsTests/Fixtures/" + name), as: name)
    }
    let path = folder.path("split-00003-of-00003.gguf")
    try odd.make(at: path)
    try refusal(odd, path) { _ = try GGUFFile(path: folder.path("split-00001-of-00003.gguf")) }
  }

  @Test(arguments: OddFile.allCases) func isNoFileOfAFolder(_ odd: OddFile) throws {
    let needed = ["config.json", "model.safetensors"]
    let optional = [
      "tokenizer.json", "generation_config.json", "chat_template.jinja", "chat_template.json", "tokenizer_config.json",
    ]
    for name in needed + optional where odd != .missing || needed.contains(name) {
      try model()
      let path = folder.path(name)
      try odd.make(at: path)
      if odd == .missing, name == "model.safetensors" {
        let error = #expect(throws: CheckpointError.self) { try LoadedModel(path: folder.url.path) }
        #expect(error?.field == "folder")
      } else {
        try refusal(odd, path) { _ = try LoadedModel(path: folder.url.path) }
      }
      try? folder.remove(name)
    }
  }

  @Test(arguments: OddFile.allCases) func isNoIndexOrShard(_ odd: OddFile) throws {
    let source = "\(Seeds.checkpoints)/deepseek-v3-sharded"
    let shards = try Seeds.paths(source, suffix: ".safetensors").filter { $0.contains("model-") }
    let names = shards.compactMap { $0.split(separator: "/").last.map(String.init) }
    for name in [names[0], "model.safetensors.index.json"] where odd != .missing || name == names[0] {
      for (path, name) in zip(shards, names) { try folder.write(Seeds.bytes(path), as: name) }
      try folder.write(Seeds.bytes("\(source)/model.safetensors.index.json"), as: "model.safetensors.index.json")
      try odd.make(at: folder.path(name))
      try refusal(odd, folder.path(name)) { _ = try SafetensorsFolder(path: folder.url.path) }
      try? folder.remove(name)
    }
  }

  /// Names that are read as they are: spaces, both ways to write an umlaut, other scripts, quotes, the longest.
  static let names = [
    "two words", " leading", "caf\u{E9}", "cafe\u{301}", "模型", "\u{1F600}", "a\"b'c`$x;%41#?*", "new\nline",
    String(repeating: "n", count: 200), "-dash", "...",
  ]

  @Test(arguments: names) func namesAreTakenAsTheyAre(_ name: String) throws {
    let inner = folder.path(name)
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
    let gguf = try folder.write(Seeds.bytes("ModelsTests/Fixtures/gguf/qwen2-untied.gguf"), as: name + ".gguf")
    _ = try LoadedModel(path: gguf)
    for file in ["config.json", "model.safetensors"] {
      try Data(Seeds.bytes("\(Seeds.checkpoints)/llama-mha/\(file)")).write(to: URL(fileURLWithPath: inner + "/" + file))
    }
    #expect(try LoadedModel(path: inner).path == inner)
    // Links to all of it.
    try #require(symlink(inner, folder.path("link")) == 0 && symlink(gguf, folder.path("link.gguf")) == 0)
    _ = try LoadedModel(path: folder.path("link"))
    _ = try LoadedModel(path: folder.path("link.gguf"))
    // The bytes of the names that were made are those that were asked for.
    let found = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(found.contains { $0.utf8.elementsEqual(name.utf8) })
  }

  @Test func longNamesAreRefused() throws {
    for path in [folder.path(String(repeating: "n", count: 300)), "/" + String(repeating: "folder/", count: 1000)] {
      let error = #expect(throws: CheckpointError.self) { try LoadedModel(path: path) }
      #expect(error?.reason.contains("File name too long") == true)
    }
    // No byte of a name is zero, and what follows one is not left out.
    _ = try folder.write(Seeds.bytes("ModelsTests/Fixtures/gguf/qwen2-untied.gguf"), as: "model.gguf")
    #expect(throws: CheckpointError.self) { try GGUFFile(path: folder.path("model.gguf") + "\0.txt") }
  }

  /// As another user where the tests run as root, who may read everything.
  @Test func unreadableFilesAreRefused() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let gguf = try folder.write(Seeds.bytes("ModelsTests/Fixtures/gguf/qwen2-untied.gguf"), as: "model.gguf")
      let config = try folder.write([123, 125], as: "config.json")
      let closed = folder.path("closed")
      try FileManager.default.createDirectory(atPath: closed, withIntermediateDirectories: false)
      try #require(chmod(gguf, 0) == 0 && chmod(config, 0) == 0 && chmod(closed, 0) == 0)
      if geteuid() == 0 { try #require(seteuid(65_534) == 0) }
      for (path, file) in [(gguf, gguf), (folder.url.path, config), (closed, closed + "/config.json")] {
        let error = #expect(throws: CheckpointError.self) { try LoadedModel(path: path) }
        try #require(error?.file == file && error?.reason.contains("Permission denied") == true, "\(error as Any)")
      }
      if getuid() == 0 { try #require(seteuid(0) == 0) }
      chmod(closed, 0o700)
    }
  }
}

import Foundation
import Synchronization
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

/// A hub, and a machine with an empty cache that knows it.
final class Scene: Sendable {
  let server: FakeHub
  let home: String

  init() throws {
    server = try FakeHub()
    home = FileManager.default.temporaryDirectory.path + "/swiftlet-hub-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: home) }

  func hub(token: String? = nil, offline: Bool = false) -> ModelHub {
    var environment = ["HOME": home, "HF_HOME": home, "HF_ENDPOINT": server.endpoint + "/"]
    environment["HF_TOKEN"] = token
    environment["HF_HUB_OFFLINE"] = offline ? "1" : nil
    var configuration = HubConfiguration(environment: environment)
    configuration.retries.firstPause = .milliseconds(5)
    configuration.retries.longestPause = .milliseconds(20)
    configuration.readTimeout = .seconds(5)
    return ModelHub(configuration: configuration)
  }

  /// A repository with one large GGUF file of `byteCount` bytes.
  @discardableResult
  func addModel(_ name: String = "org/model", byteCount: Int = 300_000) -> [UInt8] {
    let content = Self.content(byteCount)
    server[name] = .init(files: [
      .init(path: "README.md", content: Array("A model.".utf8), isLarge: false),
      .init(path: "model-Q4_K_M.gguf", content: content),
    ])
    return content
  }

  static func content(_ byteCount: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<byteCount).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  func path(_ relative: String) -> String { home + "/" + relative }
  func bytes(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map(Array.init) }

  /// The blobs of `org/model`, with the incomplete ones.
  var blobs: [String] { FileSystem.names(in: path("hub/models--org--model/blobs")) }
}

/// What a download reported.
final class ProgressLog: Sendable {
  private let entries = Mutex<[DownloadProgress]>([])
  var all: [DownloadProgress] { entries.withLock { $0 } }
  func record(_ progress: DownloadProgress) { entries.withLock { $0.append(progress) } }
}

/// What was waited for.
final class WaitLog: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func record(_ line: String) { lines.withLock { $0.append(line) } }
}

/// The `HubError` that `body` throws.
func hubError(
  _ body: () async throws -> some Any, sourceLocation: SourceLocation = #_sourceLocation
) async -> HubError? {
  do {
    _ = try await body()
    Issue.record("expected an error", sourceLocation: sourceLocation)
  } catch let error as HubError {
    return error
  } catch {
    Issue.record("expected a HubError, found \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

import AsyncHTTPClient
import Foundation
import NIOCore
import SwiftletJSON
import SwiftletTestSupport

@testable import SwiftletServer

/// `swiftlet serve` in a process of its own.
final class ServedCommand: Sendable {
  let process: Process
  let port: Int

  init(_ arguments: [String], folder: String) async throws {
    let log = "\(folder)/\(UUID().uuidString).log"
    try Data().write(to: URL(fileURLWithPath: log))
    process = Process()
    process.executableURL = URL(fileURLWithPath: try BuiltCommand.path())
    process.arguments = ["serve"] + arguments + ["--port", "0"]
    process.environment = ["HOME": folder, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "SWIFTLET_THREADS": "2"]
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    for _ in 0..<600 {
      let text = try String(contentsOfFile: log, encoding: .utf8)
      for line in text.split(separator: "\n") {
        if let json = try? JSONValue(parsing: String(line)), let port = json["port"]?.integer {
          self.port = port
          return
        }
      }
      guard process.isRunning else { throw Failure(log: text) }
      try await Task.sleep(for: .milliseconds(50))
    }
    process.terminate()
    throw Failure(log: try String(contentsOfFile: log, encoding: .utf8))
  }

  struct Failure: Error { let log: String }

  /// Does not try again for a while when nobody listens.
  private static let client: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  /// Sends a chat; nil when the connection broke before the answer was whole.
  func chat(
    _ model: String, _ key: String, text: String = "Hi", tokens: Int, isStreamed: Bool
  ) async -> (id: String, usage: JSONValue)? {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/v1/chat/completions")
    request.method = .POST
    request.headers.add(name: "x-api-key", value: key)
    let more: JSONValue = ["max_tokens": .integer(tokens), "model": .string(model), "stream": .bool(isStreamed)]
    var body = TestServer.chat(more, text: text)
    if isStreamed { body = .object((body.members ?? []) + [.init(key: "stream_options", value: ["include_usage": true])]) }
    request.body = .bytes(ByteBuffer(string: body.serialized()))
    guard let response = try? await Self.client.execute(request, timeout: .seconds(30)), response.status == .ok,
      let buffer = try? await response.body.collect(upTo: 1 << 24)
    else { return nil }
    let answer = TestServer.Answer(status: 200, headers: [], body: Array(buffer.readableBytesView))
    let last = isStreamed ? (answer.text.hasSuffix("data: [DONE]\n\n") ? try? answer.events.last : nil) : try? answer.json
    guard let usage = last?["usage"], let id = response.headers.first(name: "x-request-id") else { return nil }
    return (id, usage)
  }
}

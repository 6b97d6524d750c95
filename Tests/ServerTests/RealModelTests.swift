import SwiftletJSON
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

/// The small real model, where it is installed.
@Suite(.enabled(if: SmallModel.isInstalled)) struct RealModelTests {
  @Test func knowsTheCapitalOfFrance() async throws {
    try await TestServer.run(model: SmallModel.path) { server async throws in
      let body: JSONValue = [
        "model": "tiny", "temperature": 0, "max_tokens": 20,
        "messages": [["role": "user", "content": "What is the capital of France?"]],
      ]
      let answer = try await server.post("/v1/chat/completions", body).json["choices"]?.elements?[0]
      #expect(answer?["message"]?["content"]?.string == "The capital of France is Paris.")
      #expect(answer?["finish_reason"]?.string == "stop")
    }
  }
}

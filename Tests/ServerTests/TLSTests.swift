import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import SwiftletTestSupport
import Testing

@testable import SwiftletServer

@Suite struct TLSTests {
  /// A certificate for localhost that is its own authority.
  private static func certificate(in folder: String) throws -> TLSFiles {
    let files = TLSFiles(certificate: folder + "/certificate.pem", key: folder + "/key.pem")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-keyout", files.key, "-out", files.certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "openssl could not make a certificate")
    return files
  }

  @Test func speaksHTTPS() async throws {
    let folder = try TemporaryFolder()
    let files = try Self.certificate(in: folder.path)
    try await TestServer.run(change: { $0.tls = files }) { server async throws in
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.trustRoots = .file(files.certificate)
      let client = HTTPClient(
        eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: .init(tlsConfiguration: configuration))
      do {
        var request = HTTPClientRequest(url: "https://localhost:\(server.port)/v1/chat/completions")
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: TestServer.chat(["stream": true]).serialized()))
        let response = try await client.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        #expect(response.status == .ok && text.hasSuffix("data: [DONE]\n\n"))
      } catch {
        Issue.record(error)
      }
      try await client.shutdown()
      // Nothing is told without TLS.
      let plain = try? await server.exchange("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(plain?.contains("200") != true)
    }
  }

  @Test func filesThatAreNoneAreNamed() async throws {
    let folder = try TemporaryFolder()
    let files = try Self.certificate(in: folder.path)
    for wrong in [
      TLSFiles(certificate: folder.path + "/none.pem", key: files.key), TLSFiles(certificate: files.key, key: files.key),
      TLSFiles(certificate: files.certificate, key: files.certificate),
    ] {
      let error = await #expect(throws: ServerError.self) { try await TestServer.run(change: { $0.tls = wrong }) { _ in } }
      #expect(error?.description.contains("cannot be used for TLS") == true)
    }
  }
}

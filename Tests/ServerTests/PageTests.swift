import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// The files of the page, as a browser gets them.
@Suite struct PageTests {
  @Test func everyFileIsServedSafely() async throws {
    try await TestServer.run { server async throws in
      #expect(PageFiles.all.count > 30)
      for file in PageFiles.all {
        let path = ["/index.html": "/", "/dashboard.html": "/dashboard"][file.path] ?? file.path
        let answer = try await server.send("GET", path)
        #expect(answer.status == 200, "\(path)")
        #expect(answer.body.count == file.bytes.readableBytes && !answer.body.isEmpty)
        #expect(answer.header("Content-Type") == file.type)
        #expect(answer.header("X-Content-Type-Options") == "nosniff")
        #expect(answer.header("Referrer-Policy") == "no-referrer")
        #expect(answer.header("Cache-Control") == "no-cache")
        let policy = answer.header("Content-Security-Policy") ?? ""
        for part in [
          "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:",
          "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ] {
          #expect(policy.contains(part), "\(path)")
        }
        #expect(!policy.contains("unsafe"))
        let tag = try #require(answer.header("ETag"))
        let again = try await server.send("GET", path, headers: ["If-None-Match": tag])
        #expect(again.status == 304 && again.body.isEmpty && again.header("ETag") == tag)
        let other = try await server.send("GET", path, headers: ["If-None-Match": "\"other\""])
        #expect(other.status == 200)
      }
      let head = try await server.send("HEAD", "/")
      #expect(head.status == 200 && head.body.isEmpty && head.header("Content-Type") == "text/html; charset=utf-8")
      #expect(try await server.send("GET", "/page/none.js").status == 404)
      #expect(try await server.send("GET", "/page/..%2f..%2fetc/passwd").status == 404)
    }
  }

  /// The browser would run neither, and nothing comes from elsewhere.
  @Test func pagesHaveNoInlineCodeAndNoForeignAddresses() throws {
    for file in PageFiles.all where file.path.hasSuffix(".html") {
      let text = String(buffer: file.bytes)
      #expect(text.firstMatch(of: /<script(?![^>]*src="\/page\/)/) == nil)
      #expect(text.firstMatch(of: /<style|\sstyle=|\son\w+=/) == nil)
    }
    for file in PageFiles.all where !file.path.hasSuffix(".png") {
      let text = String(buffer: file.bytes)
      // Names of XML's languages are no addresses.
      let foreign = text.matches(of: /https?:\/\/[a-z0-9.]+\//).map { String($0.output) }.filter { $0 != "http://www.w3.org/" }
      #expect(foreign.isEmpty, "\(file.path): \(foreign)")
      #expect(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML") && !text.contains("eval("), "\(file.path)")
    }
  }

  /// The page opens without the server when the worker has kept every file.
  @Test func theWorkerKeepsEveryFile() throws {
    let worker = try #require(PageFiles.all.first { $0.path == "/sw.js" })
    let text = String(buffer: worker.bytes)
    // The document of the API is no part of the page.
    for file in PageFiles.all where !["/sw.js", "/openapi.json"].contains(file.path) {
      let path = ["/index.html": "/", "/dashboard.html": "/dashboard"][file.path] ?? file.path
      #expect(text.contains("'\(path)'"), "\(path) is not in sw.js")
    }
  }

  @Test func theDashboardHasItsNumbers() async throws {
    try await TestServer.run { server async throws in
      _ = try await server.post("/chat/completions", TestServer.chat())
      let answer = try await server.send("GET", "/api/stats")
      #expect(answer.status == 200 && answer.header("Cache-Control") == "no-store")
      let stats = try answer.json
      let load = try #require(stats["load"])
      let times = try #require(load["time"]?.elements)
      #expect(!times.isEmpty)
      for member in load.members ?? [] { #expect(member.value.elements?.count == times.count, "\(member.key)") }
      #expect(load["generated_tokens"]?.elements?.last?.integer == 12)
      #expect(load["memory_bytes"]?.elements?.last?.integer ?? 0 > 0)
      #expect(stats["models"]?.elements?.first?.string == "tiny")
      #expect(stats["usage"]?.elements != nil)
    }
  }
}

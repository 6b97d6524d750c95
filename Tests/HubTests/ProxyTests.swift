import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

@Suite struct ProxyTests {
  @Test func readsTheVariables() throws {
    let settings = ProxySettings(environment: [
      "HTTPS_PROXY": "http://proxy:3128", "http_proxy": "proxy:80", "no_proxy": "internal, .example.com,*.org,hub:8080",
    ])
    #expect(settings.address == "http://proxy:3128")
    for (address, isDirect) in [
      ("https://internal/x", true), ("https://a.internal", true), ("https://example.com", true), ("https://a.example.com", true),
      ("https://notexample.com", false), ("https://a.org", true), ("https://hub:8080", true), ("https://hub", false),
      ("https://127.0.0.1:1", true), ("http://localhost", true), ("https://localhost", true), ("http://mirror", true),
      ("https://huggingface.co", false),
    ] {
      #expect(settings.excludes(try #require(Origin(address))) == isDirect, "\(address)")
    }
    #expect(ProxySettings(environment: ["ALL_PROXY": "socks5://p"]).address == "socks5://p")
    #expect(try ProxySettings(environment: ["https_proxy": ""]).proxy == nil)
    let proxy = try #require(try ProxySettings(environment: ["https_proxy": "http://me:a%20b@p:1"]).proxy)
    #expect(proxy.host == "p" && proxy.port == 1 && proxy.authorization == .basic(username: "me", password: "a b"))
    for text in ["ftp://p", "https://p", "http://"] {
      #expect(throws: HubError.invalidProxy(text)) { try ProxySettings(environment: ["https_proxy": text]).proxy }
    }
  }

  @Test func asksTheProxy() async throws {
    let scene = try Scene()
    var hub = scene.hub()
    hub.configuration.endpoint = "https://hub.invalid"
    hub.configuration.proxies = ProxySettings(environment: ["https_proxy": scene.server.endpoint])
    // The server makes no tunnels, but it was asked for one.
    let reference = try ModelReference("org/model")
    guard case .connectionFailed("hub.invalid", _, _) = await hubError({ try await hub.pull(reference) }) else {
      return #expect(Bool(false))
    }
    let count = scene.server.requests("hub.invalid:443").count
    #expect(count > 0)
    hub.configuration.proxies.exceptions = ["invalid"]
    guard case .connectionFailed("hub.invalid", _, _) = await hubError({ try await hub.pull(reference) }) else {
      return #expect(Bool(false))
    }
    #expect(scene.server.requests("hub.invalid:443").count == count)
  }
}

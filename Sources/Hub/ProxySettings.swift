package import AsyncHTTPClient
import Foundation

/// The proxy that the environment names for https, as curl and pip read it: `https_proxy`, else `all_proxy`, and `no_proxy` with the
/// hosts that are reached without one; in capitals too. Addresses of http, which only mirrors have, are reached directly.
package struct ProxySettings: Sendable, Equatable {
  package var address: String?
  /// Lower-case host names, which stand for what ends with them too; `*` for all.
  package var exceptions: [String]

  package init(environment: [String: String]) {
    func value(_ name: String) -> String? {
      [environment[name], environment[name.uppercased()]].compactMap { $0 }.first { !$0.isEmpty }
    }
    address = value("https_proxy") ?? value("all_proxy")
    exceptions = (value("no_proxy") ?? "").lowercased().split { $0 == "," || $0.isWhitespace }.map { entry in
      String(entry.trimmingPrefix("*.").trimmingPrefix("."))
    }
  }

  /// Whether a host is reached directly. This machine always is: a proxy's loopback is not ours.
  package func excludes(_ origin: Origin) -> Bool {
    if !origin.isSecure || origin.host == "localhost" || origin.host == "::1" || origin.host.hasPrefix("127.") { return true }
    return exceptions.contains { entry in
      entry == "*" || entry == origin.host || entry == "\(origin.host):\(origin.port)" || origin.host.hasSuffix("." + entry)
    }
  }

  /// nil when there is none.
  package var proxy: HTTPClient.Configuration.Proxy? {
    get throws(HubError) {
      guard let text = address else { return nil }
      guard let url = URL(string: text.contains("://") ? text : "http://" + text), let host = url.host, !host.isEmpty else {
        throw .invalidProxy(text)
      }
      switch url.scheme?.lowercased() {
      case "http":
        guard let user = url.user(percentEncoded: false) else { return .server(host: host, port: url.port ?? 80) }
        let password = url.password(percentEncoded: false) ?? ""
        return .server(host: host, port: url.port ?? 80, authorization: .basic(username: user, password: password))
      case "socks5", "socks5h": return .socksServer(host: host, port: url.port ?? 1080)
      default: throw .invalidProxy(text)
      }
    }
  }
}

internal import Foundation

/// Where a server listens and what it allows.
public struct ServerConfiguration: Sendable {
  /// The address to listen on. While there are no keys, one that only this machine reaches: nobody else is let in.
  public var host: String
  /// 0 takes any free port.
  public var port: Int
  /// Names by which the server may be called besides `localhost` and the loopback addresses, without ports.
  public var allowedHosts: [String]
  /// Origins of web pages that may use the server, such as `https://example.org`. `*` is every page that the user visits.
  public var corsOrigins: [String]
  /// The largest body of a request.
  public var maximumBodyBytes: Int
  /// After so long without an answer, something is sent so that the connection is not believed dead.
  public var keepAliveInterval: Duration
  /// How long a client may be silent in the middle of a request, take nothing of an answer, and keep a connection without a request.
  /// The headers of a request may take as long together.
  public var idleTimeout: Duration
  /// How long the body of a request may take to be whole, however busy its client is.
  public var requestTimeout: Duration
  /// The most connections at once; nil for as many as the process may have files for.
  public var maximumConnections: Int?
  /// How long answers in progress may take when the server is asked to stop.
  public var drainTimeout: Duration
  /// What tokens cost.
  public var prices: PriceList
  /// With it, https is spoken instead of http.
  public var tls: TLSFiles?
  /// What prompts and answers may not contain.
  public var policy: Policy
  /// When whoever runs the server is told of a key.
  public var alarm: AlarmThresholds
  /// How much of the page's chats is kept.
  public var chatLimits: ChatLimits

  public init(
    host: String = "127.0.0.1", port: Int = 8080, allowedHosts: [String] = [], corsOrigins: [String] = [],
    maximumBodyBytes: Int = 16 << 20, keepAliveInterval: Duration = .seconds(10), idleTimeout: Duration = .seconds(60),
    requestTimeout: Duration = .seconds(300), maximumConnections: Int? = nil, drainTimeout: Duration = .seconds(30),
    prices: PriceList = PriceList(), tls: TLSFiles? = nil, policy: Policy = Policy(), alarm: AlarmThresholds = AlarmThresholds(),
    chatLimits: ChatLimits = ChatLimits()
  ) {
    self.host = host
    self.port = port
    self.allowedHosts = allowedHosts
    self.corsOrigins = corsOrigins
    self.maximumBodyBytes = maximumBodyBytes
    self.keepAliveInterval = keepAliveInterval
    self.idleTimeout = idleTimeout
    self.requestTimeout = requestTimeout
    self.maximumConnections = maximumConnections
    self.drainTimeout = drainTimeout
    self.prices = prices
    self.tls = tls
    self.policy = policy
    self.alarm = alarm
    self.chatLimits = chatLimits
  }

  /// Whether only this machine reaches the address.
  var isLoopback: Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }

  /// - Throws: `ServerError` naming a host or an origin that no request can have.
  func check() throws(ServerError) {
    for host in allowedHosts
    where host.isEmpty || HostCheck.name(host) != host || host.contains(where: { $0 == "/" || $0.isWhitespace }) {
      throw .notAHost(host)
    }
    for origin in corsOrigins where origin != "*" && origin != "null" {
      // A scheme and an authority; browsers send nothing behind it, not even a slash.
      let parts = origin.components(separatedBy: "://")
      guard parts.count == 2, !parts.contains(""), !origin.contains(where: { $0.isWhitespace || "?#".contains($0) }),
        !parts[1].contains("/")
      else { throw .notAnOrigin(origin) }
    }
  }
}

/// Why a server does not start.
public enum ServerError: Error, Sendable, Equatable, CustomStringConvertible {
  case noModels
  case duplicateName(String)
  /// The address can be reached from elsewhere.
  case openAddress(String)
  /// The address is none of this machine's, or somebody listens there already.
  case cannotListen(host: String, port: Int, reason: String)
  case notAHost(String)
  case notAnOrigin(String)
  case store(StoreError)
  case tls(file: String, reason: String)

  public var description: String {
    switch self {
    case .noModels: "the server has no model; name at least one"
    case .duplicateName(let name): "two models are called '\(name)'; each needs a name of its own"
    case .openAddress(let host):
      "'\(host)' can be reached from other machines, and without keys anybody there could use the server; make one with "
        + "`swiftlet keys create`, or listen on 127.0.0.1"
    case .cannotListen(let host, let port, let reason):
      "cannot listen on port \(port) of '\(host)': \(reason); --port and --host name others"
    case .notAHost(let host): "allowed-host: found '\(host)', expected a name without scheme, port and path, such as example.org"
    case .notAnOrigin(let origin):
      "cors-origin: found '\(origin)', expected a scheme, a name and perhaps a port, with nothing behind them, such as "
        + "https://example.org, or * for every page"
    case .store(let error): "\(error)"
    case .tls(let file, let reason):
      "\(file) cannot be used for TLS: \(reason); expected a certificate and its key in PEM, without a passphrase"
    }
  }
}

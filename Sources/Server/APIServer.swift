internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
public import Logging
internal import NIOCore
public import ServiceLifecycle

/// Serves models over HTTP, as OpenAI's, DeepSeek's and Anthropic's clients expect it.
///
/// It runs until its task is cancelled or a graceful shutdown is asked for (`ServiceGroup`): then it takes no more requests, and answers
/// in progress have `drainTimeout` to end.
public struct APIServer: Service {
  private let api: API
  private let tls: TLSConfiguration?
  private let logger: Logger
  private let onRunning: @Sendable (_ port: Int) async -> Void

  /// - Parameters:
  ///   - store: the keys, and where what requests use is written.
  ///   - onRunning: called with the port once requests are taken.
  /// - Throws: `ServerError`; also when the database is damaged, so that nobody is served and charged by half a book.
  public init(
    models: [ServedModel], store: Store, configuration: ServerConfiguration = ServerConfiguration(), logger: Logger,
    onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) throws(ServerError) {
    guard !models.isEmpty else { throw .noModels }
    for (index, model) in models.enumerated() where models[..<index].contains(where: { $0.id == model.id }) {
      throw .duplicateName(model.id)
    }
    try configuration.check()
    do { try store.check() } catch { throw .store(error) }
    if !configuration.isLoopback, try !store.isGuarded { throw .openAddress(configuration.host) }
    let metrics = Metrics()
    api = API(
      models: ServedModels(all: models), store: store, configuration: configuration, metrics: metrics,
      lifecycle: Lifecycle(), limiter: RateLimiter(), ledger: Ledger(store: store, logger: logger),
      alarm: ExtractionAlarm(configuration.alarm, metrics: metrics, logger: logger), logger: logger)
    tls = if let files = configuration.tls { try files.configuration() } else { nil }
    // What such a price was meant for may cost nothing now.
    for name in configuration.prices.models.keys.sorted() where !models.contains(where: { $0.id == name }) {
      logger.warning("a price names no model that is served", metadata: ["name": "\(name)"])
    }
    self.logger = logger
    self.onRunning = onRunning
  }

  public func run() async throws {
    let configuration = api.configuration
    var quiet = logger
    // What the library tells of connections is of use only when it is looked for.
    quiet.logLevel = max(logger.logLevel, logger.logLevel <= .debug ? .debug : .warning)
    let channel = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        ConnectionEnd.Adder(), ClientWatch(),
        ClientPatience(requestTimeout: configuration.requestTimeout, answerTimeout: configuration.idleTimeout),
      ],
      idleTimeout: TimeAmount(configuration.idleTimeout),
      httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100))
    let isRunning = Flag()
    let plain = HTTPServerBuilder.http1(configuration: channel)
    let application = Application(
      responder: api.routes(logger: logger), server: try tls.map { try .tls(plain, tlsConfiguration: $0) } ?? plain,
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: "swiftlet",
        // Further ones wait in the system's queue.
        availableConnectionsDelegate: .maximum(configuration.maximumConnections ?? OpenFiles.connections(), logger: quiet)),
      onServerRunning: { [onRunning] channel in
        isRunning.raise()
        await onRunning(channel.localAddress?.port ?? configuration.port)
      }, logger: quiet)
    let history = Task { [api] in await api.history.run(api.metrics, api.models) }
    defer { history.cancel() }
    do {
      try await withGracefulShutdownHandler {
        try await application.run()
      } onGracefulShutdown: {
        api.lifecycle.drain(for: configuration.drainTimeout)
      }
    } catch let error where !isRunning.isRaised && !(error is CancellationError) {
      let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
      throw ServerError.cannotListen(host: configuration.host, port: configuration.port, reason: reason)
    }
  }
}

import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle
import Swiftlet
import SwiftletServer

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serves models over HTTP, as clients of OpenAI, DeepSeek and Anthropic expect it.",
    discussion: """
      Clients take http://127.0.0.1:8080/v1 as their base URL and any text as key;
      Anthropic's take http://127.0.0.1:8080/anthropic. The model is called as it is
      named here; deepseek-chat and deepseek-reasoner stand for the first one.
      Only this machine can reach the server, until `swiftlet keys create` has made
      a key; then each request needs one, and --host may be any address. Ctrl-C or
      SIGTERM stops it once the answers in progress have ended. Standard error gets
      a JSON object a request, without any text of prompts or answers.

      Every option may stand in a file of --config by its name without dashes, and
      so may prices, in dollars per million tokens; what is given here comes before
      the environment, and the environment before the file:
        {"models": ["smollm2"], "port": 9000, "prices": {"*":
          {"cache_hit": 0.014, "cache_miss": 0.14, "output": 0.28}}}

      EXAMPLES
        swiftlet serve
        swiftlet serve deepseek-r1:1.5b --port 9000 --context 16384
        curl http://127.0.0.1:8080/v1/chat/completions \\
          -d '{"model": "deepseek-chat", "messages": [{"role": "user",
          "content": "Hi"}]}'

      ENVIRONMENT
      \(HelpText.data)
      \(HelpText.prefixes)
      \(HelpText.configuration)
      \(HelpText.generation)
      """)

  @Argument(help: "Aliases, org/repo[:quant], or paths; the default model when left out.")
  var models: [String] = []
  @Option(
    help: ArgumentHelp("The address to listen on (default: 127.0.0.1); others than it and ::1 need keys.", valueName: "address"))
  var host: String?
  @Option(help: ArgumentHelp("The port; 0 takes any free one (default: 8080).", valueName: "n"))
  var port: Int?
  @Option(
    help: ArgumentHelp(
      "An origin whose web pages may use the server, such as https://example.org; may be given several times.",
      valueName: "origin"))
  var corsOrigin: [String] = []
  @Option(
    help: ArgumentHelp(
      "A name by which the server may be called besides localhost, as behind a proxy; may be given several times.",
      valueName: "name"))
  var allowedHost: [String] = []
  @Option(help: ArgumentHelp("Requests that are answered at once; the others wait (default: 64).", valueName: "n"))
  var parallel: Int?
  @Option(help: ArgumentHelp("Requests that may wait; further ones are told to come again (default: 128).", valueName: "n"))
  var maxQueue: Int?
  @Flag(
    help: "Prompts of one key go on from those of others that begin alike; its usage then tells what others asked.")
  var sharePrefixes = false
  @Option(
    help: ArgumentHelp(
      "The most that beginnings of prompts may take on disk, beside the database, such as 20GB; 0 keeps none (default: a tenth of the disk, at most 10 GB; SWIFTLET_PREFIX_CACHE).",
      valueName: "size"))
  var prefixCache: CacheLimit?
  @Option(
    help: ArgumentHelp("What is logged: trace, debug, info, notice, warning, error (default: info).", valueName: "level"),
    transform: Self.level)
  var logLevel: Logger.Level?
  @Option(help: ArgumentHelp("Seconds that answers in progress may take when the server stops (default: 30).", valueName: "n"))
  var drainTimeout: Double?
  @Option(help: ArgumentHelp("A JSON file of options and prices (SWIFTLET_CONFIG).", valueName: "file"))
  var config: String?
  @Option(help: ArgumentHelp("Certificates in PEM, the server's own first; https is spoken then.", valueName: "file"))
  var tlsCertificate: String?
  @Option(help: ArgumentHelp("The key of --tls-certificate, in PEM.", valueName: "file"))
  var tlsKey: String?
  @Option(help: ArgumentHelp("A JSON file of rules for what prompts and answers may not contain.", valueName: "file"))
  var policy: String?
  @Option(
    help: ArgumentHelp("The most that a chat of the page may take with its messages (default: 64MB).", valueName: "size"))
  var chatSize: ByteSize?
  @Option(
    help: ArgumentHelp(
      "The most that the chats of a key may take together, or of everybody without keys (default: 1GB).", valueName: "size"))
  var chatStorage: ByteSize?
  @OptionGroup var data: DataArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  func validate() throws {
    try Self.check("port", port, in: ServeFile.ports)
    try Self.check("parallel", parallel, in: ServeFile.parallels)
    try Self.check("max-queue", maxQueue, in: ServeFile.queues)
    try Self.check("drain-timeout", drainTimeout, in: ServeFile.timeouts)
  }

  mutating func run() async throws {
    let (prices, alarm) = try takeFile()
    let host = host ?? "127.0.0.1", drainTimeout = drainTimeout ?? 30, logLevel = logLevel ?? .info
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw CommandError("A certificate and its key go together: --tls-certificate and --tls-key.")
    }
    let tls = tlsCertificate.flatMap { certificate in tlsKey.map { TLSFiles(certificate: certificate, key: $0) } }
    let rules = try policy.map { try Policy(file: $0) } ?? Policy()
    let limits = EngineLimits(
      maximumSequences: parallel ?? 64, maximumWaiting: maxQueue ?? 128, sharesPrefixes: sharePrefixes)
    // What is wrong with it is told before a model is fetched.
    let store = try data.store()
    var logger = Logger(label: "swiftlet") { _ in JSONLines() }
    logger.logLevel = logLevel
    let prefixes = try prefixStore(logger)
    let names = models.isEmpty ? [nil] : models.map(Optional.some)
    let loaded = try await ModelFinder.load(names, engine, context, template, limits: limits, prefixes: prefixes)
    let served = zip(names, loaded).map { name, model in
      ServedModel(id: Self.id(name, path: (model.loaded.path as NSString).lastPathComponent), model: model)
    }
    var chatLimits = ChatLimits()
    if let chatSize { chatLimits.bytesPerChat = chatSize.bytes }
    if let chatStorage { chatLimits.bytesPerKey = chatStorage.bytes }
    let configuration = ServerConfiguration(
      host: host, port: port ?? 8080, allowedHosts: allowedHost, corsOrigins: corsOrigin, drainTimeout: .seconds(drainTimeout),
      prices: prices, tls: tls, policy: rules, alarm: alarm, chatLimits: chatLimits)
    let ids = served.map(\.id).joined(separator: ", ")
    let server = try APIServer(models: served, store: store, configuration: configuration, logger: logger) { [logger] port in
      let url = "\(tls == nil ? "http" : "https")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
      if Output.errorIsTerminal { Output.note("\(ids) at \(url)/v1 (Ctrl-C stops)") }
      logger.info("listening", metadata: ["url": "\(url)", "port": .stringConvertible(port), "models": "\(ids)"])
    }
    Interrupt.ignoreWhileIdle()
    var quiet = logger
    quiet.logLevel = max(logLevel, .warning)
    var group = ServiceGroupConfiguration(services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
    // Connections whose readers do not read are cut in the end.
    group.maximumGracefulShutdownDuration = .seconds(drainTimeout + 5)
    do {
      try await ServiceGroup(configuration: group).run()
    } catch is CancellationError {}
    for model in served { await model.model.engine.finishPrefixes() }
    logger.info("stopped")
  }

  /// What keeps beginnings of prompts; nil when none are wanted, or the folder cannot be had.
  private func prefixStore(_ logger: Logger) throws -> PrefixStore? {
    let limit = try CacheLimit.choice(prefixCache, environment: "SWIFTLET_PREFIX_CACHE")
    if limit == 0 { return nil }
    do throws(PrefixStoreError) {
      return try PrefixStore(folder: data.prefixFolder, limit: limit) { event in
        switch event {
        case .damaged(let path):
          logger.warning("a file of the prefix cache was damaged and is removed", metadata: ["path": "\(path)"])
        case .notKept(let reason): logger.warning("the prefix cache is not written to", metadata: ["reason": "\(reason)"])
        }
      }
    } catch {
      logger.warning("prompts are not kept on disk", metadata: ["reason": "\(error)"])
      return nil
    }
  }

  static func level(_ name: String) throws -> Logger.Level {
    guard let level = Logger.Level(rawValue: name) else {
      throw ValidationError(
        "--log-level: found '\(name)', expected \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return level
  }

  /// What requests call a model: the name it was given, or the file's without its ending.
  private static func id(_ name: String?, path: String) -> String {
    guard let name, !FileManager.default.fileExists(atPath: name) else {
      return path.hasSuffix(".gguf") ? String(path.dropLast(5)) : path
    }
    return name
  }
}

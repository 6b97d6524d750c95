import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle
import Swiftlet
import SwiftletServer

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serves models over HTTP, as OpenAI's and DeepSeek's clients expect it.",
    discussion: """
      Clients take http://127.0.0.1:8080/v1 as their base URL and any text as key;
      Anthropic's take http://127.0.0.1:8080/anthropic. The model is called as it is
      named here; deepseek-chat and deepseek-reasoner stand for the first one.
      Only this machine can reach the server. Ctrl-C or SIGTERM stops it once the
      answers in progress have ended. Standard error gets a JSON object a request,
      without any text of prompts or answers.

      EXAMPLES
        swiftlet serve
        swiftlet serve deepseek-r1:1.5b --port 9000 --context 16384
        curl http://127.0.0.1:8080/v1/chat/completions \\
          -d '{"model": "deepseek-chat", "messages": [{"role": "user",
          "content": "Hi"}]}'

      ENVIRONMENT
      \(HelpText.data)
      \(HelpText.generation)
      """)

  @Argument(help: "Aliases, org/repo[:quant], or paths; the default model when left out.")
  var models: [String] = []
  @Option(help: ArgumentHelp("The address to listen on: 127.0.0.1, ::1 or localhost.", valueName: "address"))
  var host = "127.0.0.1"
  @Option(help: ArgumentHelp("The port; 0 takes any free one.", valueName: "n"))
  var port = 8080
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
  @Option(help: ArgumentHelp("Requests that are answered at once; the others wait.", valueName: "n"))
  var parallel = 64
  @Option(help: ArgumentHelp("Requests that may wait; further ones are told to come again.", valueName: "n"))
  var maxQueue = 128
  @Option(
    help: ArgumentHelp("What is logged: trace, debug, info, notice, warning, error (default: info).", valueName: "level"),
    transform: Self.level)
  var logLevel = Logger.Level.info
  @Option(help: ArgumentHelp("Seconds that answers in progress may take when the server stops.", valueName: "n"))
  var drainTimeout = 30.0
  @OptionGroup var data: DataArguments
  @OptionGroup var engine: EngineArguments
  @OptionGroup var context: ContextArguments
  @OptionGroup var template: TemplateArguments

  func validate() throws {
    guard (0...65535).contains(port) else { throw ValidationError("--port: found \(port), expected 0 to 65535.") }
    guard (1...1024).contains(parallel) else { throw ValidationError("--parallel: found \(parallel), expected 1 to 1024.") }
    guard (0...100_000).contains(maxQueue) else { throw ValidationError("--max-queue: found \(maxQueue), expected 0 to 100000.") }
    guard (0...86400).contains(drainTimeout) else {
      throw ValidationError("--drain-timeout: found \(drainTimeout), expected 0 to 86400.")
    }
  }

  func run() async throws {
    // What is wrong with it is told before a model is fetched.
    let store = try data.store()
    var served: [ServedModel] = []
    for name in models.isEmpty ? [nil] : models.map(Optional.some) {
      let model = try await ModelFinder.load(
        name, engine, context, template, limits: EngineLimits(maximumSequences: parallel, maximumWaiting: maxQueue))
      let path = (model.loaded.path as NSString).lastPathComponent
      served.append(ServedModel(id: Self.id(name, path: path), model: model))
    }
    var logger = Logger(label: "swiftlet") { _ in JSONLines() }
    logger.logLevel = logLevel
    let configuration = ServerConfiguration(
      host: host, port: port, allowedHosts: allowedHost, corsOrigins: corsOrigin, drainTimeout: .seconds(drainTimeout))
    let names = served.map(\.id).joined(separator: ", "), host = host
    let server = try APIServer(models: served, store: store, configuration: configuration, logger: logger) { [logger] port in
      let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
      if Output.errorIsTerminal { Output.note("\(names) at \(url)/v1 (Ctrl-C stops)") }
      logger.info("listening", metadata: ["url": "\(url)", "port": .stringConvertible(port), "models": "\(names)"])
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
    logger.info("stopped")
  }

  private static func level(_ name: String) throws -> Logger.Level {
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

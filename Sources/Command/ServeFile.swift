import ArgumentParser
import Foundation
import SwiftletServer

/// The file of `serve --config`.
enum ServeFile {
  static let ports = 0...65535
  static let parallels = 1...1024
  static let queues = 0...100_000
  static let timeouts = 0.0...86400
}

extension ServeCommand {
  /// Takes from the file, if one is named, what neither the command line nor the environment says.
  /// - Returns: what stands in files alone.
  mutating func takeFile() throws -> (prices: PriceList, alarm: AlarmThresholds) {
    let environment = ProcessInfo.processInfo.environment
    guard let name = config ?? environment["SWIFTLET_CONFIG"].flatMap({ $0.isEmpty ? nil : $0 }) else {
      return (PriceList(), AlarmThresholds())
    }
    var file = try Settings(file: name)
    func isSet(_ variable: String) -> Bool { environment[variable].map { !$0.isEmpty } ?? false }
    func take<Value>(_ value: inout Value?, _ other: Value?, unless variable: String? = nil) {
      if value == nil, variable.map(isSet) != true { value = other }
    }
    func take(_ values: inout [String], _ others: [String]?) { if values.isEmpty, let others { values = others } }
    /// A value that the command line would take as text.
    func parsed<Value: ExpressibleByArgument>(_ key: String, _ expected: String) throws -> Value? {
      guard let text = try file.string(key) else { return nil }
      guard let value = Value(argument: text) else { throw file.failure(key, "found '\(text)', expected \(expected)") }
      return value
    }
    take(&models, try file.strings("models"))
    take(&host, try file.string("host"))
    take(&port, try file.integer("port", in: ServeFile.ports))
    take(&corsOrigin, try file.strings("cors-origin"))
    take(&allowedHost, try file.strings("allowed-host"))
    take(&parallel, try file.integer("parallel", in: ServeFile.parallels))
    take(&maxQueue, try file.integer("max-queue", in: ServeFile.queues))
    if try file.bool("share-prefixes") == true { sharePrefixes = true }
    take(&prefixCache, try parsed("prefix-cache", "a size such as 20GB, or 0"), unless: "SWIFTLET_PREFIX_CACHE")
    if let text = try file.string("log-level") {
      guard let level = try? Self.level(text) else { throw file.failure("log-level", "'\(text)' is no level") }
      take(&logLevel, level)
    }
    take(&drainTimeout, try file.number("drain-timeout", in: ServeFile.timeouts))
    take(&policy, try file.string("policy"))
    take(&chatSize, try parsed("chat-size", "a size such as 64MB"))
    take(&chatStorage, try parsed("chat-storage", "a size such as 1GB"))
    take(&tlsCertificate, try file.string("tls-certificate"))
    take(&tlsKey, try file.string("tls-key"))
    take(&data.data, try file.string("data"), unless: "SWIFTLET_DATA")
    take(&engine.threading.threads, try file.integer("threads", in: 1...1024), unless: "SWIFTLET_THREADS")
    take(&engine.packing.cache, try file.string("cache"), unless: "SWIFTLET_CACHE")
    take(&engine.packing.cacheLimit, try parsed("cache-limit", "a size such as 20GB, or 0"), unless: "SWIFTLET_CACHE_LIMIT")
    if try file.bool("experts-on-disk") == true, !isSet("SWIFTLET_EXPERTS_ON_DISK") { engine.expertsOnDisk = true }
    if try file.bool("fast-prompts") == true, !isSet("SWIFTLET_FAST_PROMPTS") { engine.fastPrompts = true }
    take(&engine.expertMemory, try parsed("expert-memory", "a size such as 4GB"))
    take(&context.context, try file.integer("context", in: 1...Int(Int32.max)), unless: "SWIFTLET_CONTEXT")
    take(&template.template, try file.string("template"))
    let prices = try file.settings("prices").map { try PriceList($0) } ?? PriceList()
    let alarm = try file.settings("alarm").map { try AlarmThresholds($0) } ?? AlarmThresholds()
    try file.end()
    try engine.validate()
    try engine.packing.validate()
    try data.validate()
    return (prices, alarm)
  }
}

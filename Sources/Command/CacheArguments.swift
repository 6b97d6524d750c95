import ArgumentParser
import Foundation
import SwiftletHub
import SwiftletModels
import Synchronization

/// Where packed weights are kept.
struct CacheArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The folder that keeps packed weights, from which a model starts at once the next time (default: beside the models; SWIFTLET_CACHE).",
      valueName: "folder"))
  var cache: String?
  @Option(
    help: ArgumentHelp(
      "The most they may take, such as 20GB; 0 keeps none (default: a fifth of the disk, at most 50 GB; SWIFTLET_CACHE_LIMIT).",
      valueName: "size"))
  var cacheLimit: CacheLimit?

  func validate() throws {
    if cache == "" { throw ValidationError("--cache: is empty, expected the name of a folder.") }
  }

  /// The cache that the arguments and the environment name.
  func weightCache(onEvent: (@Sendable (PackedWeightCache.Event) -> Void)? = nil) throws -> PackedWeightCache {
    let limit = try CacheLimit.choice(cacheLimit, environment: "SWIFTLET_CACHE_LIMIT")
    let named = cache ?? ProcessInfo.processInfo.environment["SWIFTLET_CACHE"].flatMap { $0.isEmpty ? nil : $0 }
    let folder = named.map { URL(fileURLWithPath: ($0 as NSString).expandingTildeInPath).standardizedFileURL.path }
    return PackedWeightCache(
      folder: folder ?? ModelHub().configuration.ownFolder + "/packed", limit: limit, onEvent: onEvent)
  }

  /// Loads a model with the cache. On a terminal a line shows how far the weights are packed, where that takes time.
  /// - Parameter isVerbose: also tells why they are not kept.
  func loading<Model>(_ name: String, isVerbose: Bool = false, _ body: (PackedWeightCache) throws -> Model) throws -> Model {
    let printer = ProgressPrinter(), start = ContinuousClock.now
    let last = Mutex(start)
    defer { printer.finish() }
    let cache = try weightCache { event in
      switch event {
      case .packing(let completed, let total):
        let now = ContinuousClock.now, seconds = start.duration(to: now) / .seconds(1)
        guard Output.rewritesErrorLine, seconds > 0.5, last.withLock({ $0.duration(to: now) }) > .milliseconds(100) else {
          return
        }
        last.withLock { $0 = now }
        printer.print(
          DownloadProgress(
            file: "packing " + (name as NSString).lastPathComponent, completedBytes: completed, totalBytes: total,
            bytesPerSecond: Double(completed) / seconds))
      case .waiting: printer.note("waiting: another process packs the weights of this model")
      case .notKept(let reason): if isVerbose { printer.note("Packed weights are not kept: \(reason)") }
      }
    }
    return try body(cache)
  }
}

/// A size as `ByteSize` reads it, or 0.
struct CacheLimit: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    guard let bytes = argument == "0" ? 0 : ByteSize(argument: argument)?.bytes else { return nil }
    self.bytes = bytes
  }

  /// The bytes of an option, or of a variable of the environment where it is not given.
  static func choice(_ option: CacheLimit?, environment name: String) throws -> Int? {
    if let option { return option.bytes }
    guard let text = ProcessInfo.processInfo.environment[name], !text.isEmpty else { return nil }
    guard let size = CacheLimit(argument: text) else {
      throw CommandError("\(name) is '\(text)', expected a size such as 20GB, or 0.")
    }
    return size.bytes
  }
}

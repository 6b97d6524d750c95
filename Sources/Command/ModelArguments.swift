import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration
import SwiftletHub

/// How a model is loaded; the same for every command that runs one.
struct EngineArguments: ParsableArguments {
  @Option(help: "Threads at work (default: the machine's cores; SWIFTLET_THREADS).")
  var threads: Int?

  var threadCount: Int {
    get throws {
      let environment = ProcessInfo.processInfo.environment["SWIFTLET_THREADS"]
      if threads == nil, let environment, Int(environment) == nil {
        throw ValidationError("SWIFTLET_THREADS is '\(environment)', expected a number from 1 to 1024.")
      }
      let count = threads ?? environment.flatMap { Int($0) } ?? ProcessInfo.processInfo.activeProcessorCount
      guard (1...1024).contains(count) else { throw ValidationError("found \(count) threads, expected 1 to 1024.") }
      return count
    }
  }
}

struct ContextArguments: ParsableArguments {
  @Option(help: "The most tokens of prompt and answer together (default: the model's own limit; SWIFTLET_CONTEXT).")
  var context: Int?

  var contextLength: Int? {
    get throws {
      let environment = ProcessInfo.processInfo.environment["SWIFTLET_CONTEXT"]
      if context == nil, let environment, Int(environment) == nil {
        throw ValidationError("SWIFTLET_CONTEXT is '\(environment)', expected a number from 1.")
      }
      let length = context ?? environment.flatMap { Int($0) }
      if let length, length < 1 { throw ValidationError("found a context of \(length), expected at least 1.") }
      return length
    }
  }
}

/// Finding the files of a model that a person named.
enum ModelFinder {
  /// The model's path, fetched when it is not on this machine. Progress goes to standard error.
  static func path(_ name: String?) async throws -> String {
    let hub = ModelHub()
    let reference = if let name { try ModelReference(name) } else { await hub.defaultModel() }
    let local = try await withProgress { try await hub.model(reference, progress: $0) }
    return try path(of: local)
  }

  static func path(of local: LocalModel) throws -> String {
    switch local.files {
    case .folder(let path): return path
    case .gguf(let paths):
      guard paths.count == 1 else {
        throw ValidationError(
          "\(local.name) is split into \(paths.count) GGUF files, which cannot be run yet; choose one in a single file.")
      }
      return paths[0]
    }
  }

  /// Runs a download with a line of progress: one that is rewritten on a terminal, else a line now and then.
  static func withProgress<Result>(_ body: (@escaping ProgressHandler) async throws -> Result) async throws -> Result {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    return try await body { printer.print($0) }
  }

  static func load(_ name: String?, _ engine: EngineArguments, _ context: ContextArguments) async throws -> LanguageModel {
    try LanguageModel(path: await path(name), threadCount: engine.threadCount, contextLength: context.contextLength)
  }
}

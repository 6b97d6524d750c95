import ArgumentParser
import Foundation
import Swiftlet
import SwiftletCheckpoints
import SwiftletHub
import SwiftletJSON
import SwiftletModels

struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Shows, checks and removes packed weights and what is kept of prompts.",
    discussion: """
      The first time a model runs, its weights are put into the order in which
      they are computed with, and kept, so that it starts at once the next time.
      The models used longest ago give way. `swiftlet list` shows the models
      themselves. `swiftlet serve` also keeps what it computed of prompts'
      beginnings, beside its database.

      EXAMPLES
        swiftlet cache
        swiftlet cache verify
        swiftlet cache clear model.gguf
        swiftlet cache clear --prefixes

      ENVIRONMENT
      \(HelpText.data)
      \(HelpText.packed)
      \(HelpText.cache)
      """,
    subcommands: [CacheListCommand.self, CacheVerifyCommand.self, CacheClearCommand.self],
    defaultSubcommand: CacheListCommand.self)

  static func name(_ entry: PackedWeightCache.Entry) -> String {
    CheckpointError.excerpt(entry.model ?? entry.path, 4096)
  }
}

struct CacheListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Shows the models of which packed weights are kept, the one used last first, and what is kept of prompts.")

  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var place: CacheArguments
  @OptionGroup var data: DataArguments

  func run() throws {
    let cache = try place.weightCache(), entries = cache.entries(), prefixes = PrefixStore.byteCount(of: data.prefixFolder)
    let total = entries.reduce(0) { $0 + $1.byteCount }
    if json {
      let models = entries.map { entry -> JSONValue in
        [
          "model": entry.model.map { .string($0) } ?? .null, "bytes": .integer(entry.byteCount),
          "last_use": .string(entry.lastUse.formatted(.iso8601)), "path": .string(entry.path),
        ]
      }
      return Output.line([
        "folder": .string(cache.folder), "limit_bytes": cache.byteLimit.map { .integer($0) } ?? .null, "bytes": .integer(total),
        "models": .array(models), "prefix_folder": .string(data.prefixFolder), "prefix_bytes": .integer(prefixes),
      ])
    }
    let rows = entries.map { entry in
      [
        CacheCommand.name(entry), ByteCount.text(entry.byteCount), String(entry.lastUse.formatted(.iso8601).prefix(10)),
        entry.model == nil ? "damaged" : "",
      ]
    }
    if !rows.isEmpty { Output.write(Output.table([["MODEL", "SIZE", "LAST USE", ""]] + rows) + "\n") }
    let limit = cache.byteLimit.map { " of at most " + ByteCount.text($0) } ?? ""
    Output.write("\(ByteCount.text(total))\(limit) in \(cache.folder)\n")
    if prefixes > 0 { Output.write("\(ByteCount.text(prefixes)) of prompts' beginnings in \(data.prefixFolder)\n") }
  }
}

struct CacheVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Compares all packed weights with their checksums, and removes what is damaged.")

  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var place: CacheArguments

  func run() throws {
    let cache = try place.weightCache()
    var damaged: [String] = [], count = 0
    for entry in cache.entries() {
      do {
        try cache.verify(entry)
        count += 1
        if !json { Output.write("\(CacheCommand.name(entry)): whole\n") }
      } catch {
        damaged.append(entry.path)
        cache.remove([entry])
        if !json { Output.write("\(CacheCommand.name(entry)): damaged, removed (\(error))\n") }
      }
    }
    if json { Output.line(["whole": .integer(count), "damaged": .array(damaged.map { .string($0) })]) }
    if !damaged.isEmpty { throw ExitCode(1) }
  }
}

struct CacheClearCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clear", abstract: "Removes packed weights: those of a model, or all; or what is kept of prompts.")

  @Argument(help: "A model as it is named to run it, or as `swiftlet cache` shows it; all when left out.")
  var model: String?
  @Flag(help: "Removes the beginnings of prompts that `swiftlet serve` keeps, and no weights.")
  var prefixes = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var place: CacheArguments
  @OptionGroup var data: DataArguments

  func validate() throws {
    if prefixes, model != nil { throw ValidationError("--prefixes are of all models; leave '\(model ?? "")' out.") }
  }

  func run() throws {
    if prefixes {
      let freed = PrefixStore.clear(data.prefixFolder)
      if json { return Output.line(["freed_bytes": .integer(freed)]) }
      return Output.write("\(ByteCount.text(freed)) freed.\n")
    }
    let cache = try place.weightCache()
    var entries = cache.entries()
    if let model {
      let found = try? ModelFinder.path(of: ModelHub().installedModel(ModelReference(model)))
      let paths = [model, found ?? model].map { URL(fileURLWithPath: $0).standardizedFileURL.path }
      entries = entries.filter { entry in entry.model.map { paths.contains($0) } ?? false }
      guard !entries.isEmpty else { throw CommandError("No packed weights of '\(model)' are kept; `swiftlet cache` shows them.") }
    }
    let freed = cache.remove(entries)
    if json {
      Output.line(["removed": .integer(entries.count), "freed_bytes": .integer(freed)])
    } else {
      Output.write("Removed \(entries.count), \(ByteCount.text(freed)) freed.\n")
    }
  }
}

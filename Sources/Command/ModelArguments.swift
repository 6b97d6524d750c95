import ArgumentParser
import Foundation
import Swiftlet
import SwiftletGeneration
import SwiftletHub
import SwiftletTensors

/// How many threads work.
struct ThreadArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Threads at work (default: as many as there are cores for it; SWIFTLET_THREADS).", valueName: "n"))
  var threads: Int?

  func validate() throws { try Self.check("threads", threads, in: 1...1024) }

  /// The number of threads, after a look at what the environment asks of the engine.
  func checkedThreadCount() throws -> Int {
    try EngineArguments.checkKernels()
    if let threads { return threads }
    guard let text = ProcessInfo.processInfo.environment["SWIFTLET_THREADS"], !text.isEmpty else {
      return ProcessorCount.available
    }
    guard let count = Int(text), (1...1024).contains(count) else {
      throw CommandError("SWIFTLET_THREADS is '\(text)', expected a number from 1 to 1024.")
    }
    return count
  }
}

/// How a model is loaded; the same for every command that runs one.
struct EngineArguments: ParsableArguments {
  @OptionGroup var threading: ThreadArguments
  @OptionGroup var packing: CacheArguments
  @Flag(
    help: ArgumentHelp(
      "Leaves the experts of a mixture on disk, so that models larger than memory run (SWIFTLET_EXPERTS_ON_DISK)."))
  var expertsOnDisk = false
  @Option(
    help: ArgumentHelp(
      "With --experts-on-disk: memory for the experts used last, such as 4GB (default: what is left).", valueName: "size"))
  var expertMemory: ByteSize?

  @Flag(
    help:
      "Computes prompts as llama.cpp does, faster on CPUs with VNNI but without AMX, and less exactly (SWIFTLET_FAST_PROMPTS).")
  var fastPrompts = false

  func validate() throws {
    if expertMemory != nil, !expertsOnDisk { throw ValidationError("--expert-memory goes with --experts-on-disk.") }
  }

  /// Where the experts of a mixture are.
  func experts() throws -> ExpertPlacement {
    if expertsOnDisk { return .disk(residentBytes: expertMemory?.bytes) }
    switch ProcessInfo.processInfo.environment["SWIFTLET_EXPERTS_ON_DISK"] {
    case nil, "", "0": return .memory
    case "1": return .disk(residentBytes: nil)
    case let text?:
      guard let size = ByteSize(argument: text) else {
        throw CommandError("SWIFTLET_EXPERTS_ON_DISK is '\(text)', expected 1, 0 or a size such as 4GB.")
      }
      return .disk(residentBytes: size.bytes)
    }
  }

  /// The best kernels that are to be had, after a look at what the environment asks of the engine.
  func kernels() throws -> Kernels {
    try Self.checkKernels()
    return try hasFastPrompts() ? Kernels.best.withFastPrompts() : .best
  }

  /// Whether prompts are computed fast rather than exactly.
  func hasFastPrompts() throws -> Bool {
    if fastPrompts { return true }
    switch ProcessInfo.processInfo.environment["SWIFTLET_FAST_PROMPTS"] {
    case nil, "", "0": return false
    case "1": return true
    case let text?: throw CommandError("SWIFTLET_FAST_PROMPTS is '\(text)', expected 1 or 0.")
    }
  }

  /// See `ThreadArguments`.
  func checkedThreadCount() throws -> Int { try threading.checkedThreadCount() }

  /// Nobody shall measure other kernels than they asked for.
  static func checkKernels() throws {
    guard let name = ProcessInfo.processInfo.environment["SWIFTLET_KERNELS"], !name.isEmpty else { return }
    let names = Kernels.available.map(\.name)
    guard names.contains(name) else {
      throw CommandError("SWIFTLET_KERNELS is '\(name)', but this machine can run: \(names.joined(separator: ", ")).")
    }
  }
}

/// `4GB`, `1.5 GB`, `512MiB`, or a number of bytes.
struct ByteSize: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    let text = argument.lowercased().filter { $0 != " " }
    let number = text.prefix { $0.isNumber || $0 == "." }
    let units: [Substring: Double] = [
      "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 0x1p10, "mib": 0x1p20, "gib": 0x1p30, "tib": 0x1p40,
    ]
    guard let value = Double(number), let unit = units[text.dropFirst(number.count)],
      let bytes = Int(exactly: (value * unit).rounded()), bytes > 0
    else { return nil }
    self.bytes = bytes
  }
}

struct ContextArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most tokens of prompt and answer together (default: the model's own limit; SWIFTLET_CONTEXT).", valueName: "n"))
  var context: Int?

  func validate() throws {
    if let context, context < 1 { throw ValidationError("--context: found \(context), expected at least 1.") }
  }

  var contextLength: Int? {
    get throws {
      if let context { return context }
      guard let text = ProcessInfo.processInfo.environment["SWIFTLET_CONTEXT"], !text.isEmpty else { return nil }
      guard let length = Int(text), length >= 1 else {
        throw CommandError("SWIFTLET_CONTEXT is '\(text)', expected a number from 1.")
      }
      return length
    }
  }
}

/// Finding the files of a model that a person named.
enum ModelFinder {
  /// The model's path, fetched when it is not on this machine.
  static func path(_ name: String?) async throws -> String {
    try path(
      of: await local(name) { reference in
        do {
          return try ModelHub().installedModel(reference)
        } catch HubError.notInstalled {
          return try await fetching { try await $0.model(reference, progress: $1) }
        }
      })
  }

  /// The files that `find` has for the model of a name; for none those of the default model, or of what stands in for it.
  static func local(_ name: String?, _ find: (ModelReference) async throws -> LocalModel) async throws -> LocalModel {
    if let name { return try await find(ModelReference(name)) }
    let choice = try await ModelHub().defaultModel()
    note(choice)
    do {
      return try await find(choice.reference)
    } catch let error as HubError {
      guard let other = choice.fallback(after: error) else { throw error }
      note(other)
      return try await find(other.reference)
    }
  }

  /// Says why it is not the preferred model.
  private static func note(_ choice: DefaultModel) {
    guard let reason = choice.reason else { return }
    let description =
      choice.reference != .embedded
      ? ""
      : ", a small reasoner that comes with swiftlet; it knows a few kinds of problems and says so when asked anything else"
    Output.note("\(reason); taking \(choice.reference)\(description).")
  }

  static func path(of local: LocalModel) throws -> String {
    switch local.files {
    case .folder(let path): return path
    // The first of several parts brings the others.
    case .gguf(let paths): return paths[0]
    }
  }

  /// Runs a download that Ctrl-C cancels, with a line of progress on standard error: one that is rewritten on a terminal, else a line
  /// now and then.
  static func fetching<Result: Sendable>(
    _ body: @escaping @Sendable (ModelHub, @escaping ProgressHandler) async throws -> Result
  ) async throws -> Result {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    var hub = ModelHub()
    hub.configuration.onWait = { printer.note($0) }
    return try await Interrupt.cancelling { [hub] in try await body(hub) { printer.print($0) } }
  }

  static func load(
    _ name: String?, _ engine: EngineArguments, _ context: ContextArguments, _ template: TemplateArguments,
    isVerbose: Bool = false
  ) async throws -> LanguageModel {
    try await load([name], engine, context, template, isVerbose: isVerbose)[0]
  }

  /// Several models, which share the memory of this process.
  static func load(
    _ names: [String?], _ engine: EngineArguments, _ context: ContextArguments, _ template: TemplateArguments,
    isVerbose: Bool = false, limits: EngineLimits? = nil, prefixes: PrefixStore? = nil
  ) async throws -> [LanguageModel] {
    // What the environment asks for is known to be right before anything is fetched.
    let threadCount = try engine.checkedThreadCount(), contextLength = try context.contextLength
    let source = try template.source, experts = try engine.experts(), fastPrompts = try engine.hasFastPrompts()
    let packsIntoFile = try engine.packing.weightCache().limit != 0
    var paths: [String] = []
    for name in names { paths.append(try await path(name)) }
    let shares = try MemoryLimits.current.shares(
      of: paths, experts: experts, contextLength: contextLength, packsIntoFile: packsIntoFile)
    return try zip(paths, shares).map { path, memory in
      try engine.packing.loading(path, isVerbose: isVerbose) { cache in
        try LanguageModel(
          path: path, template: source, threadCount: threadCount, contextLength: contextLength, experts: experts,
          memory: memory, limits: limits, cache: cache, prefixes: prefixes, fastPrompts: fastPrompts)
      }
    }
  }
}

internal import Foundation
public import SwiftletModels

/// Where the routed experts of a mixture are while it runs. Answers are the same.
public enum ExpertPlacement: Sendable, Equatable {
  /// In memory like all other weights.
  case memory
  /// On disk; those used last are in memory.
  /// - Parameter residentBytes: how much of them; nil for what the rest leaves of the memory this process may have.
  case disk(residentBytes: Int?)
}

/// What a model will take of the memory this process may have.
public struct MemoryPlan: Sendable, Equatable {
  /// Prompts are computed in chunks of this many rows.
  static let promptRows = 512
  /// The program, its threads, and the tokenizer.
  static let programBytes = 128 << 20
  /// Positions that room is kept for when experts take all that is left, unless a context was asked for.
  static let plannedPositions = 4096

  /// A part of what is needed, as an error names it.
  public struct Part: Sendable, Equatable {
    public var name: String
    public var bytes: Int
  }

  /// Bytes of experts in memory at once; nil when all of them may be.
  public var expertMemory: Int?
  /// Bytes that are left for the caches of all sequences together.
  public var cacheMemory: Int
  /// The least that limits of all memory, and of the process's own, must allow.
  let leastResident: Int, leastData: Int

  /// - Parameters:
  ///   - path: of the model, for errors.
  ///   - contextLength: positions that one conversation must have room for; nil when any number will do, since the cache grows as it
  ///     is used.
  ///   - packsIntoFile: whether the strips of weights lie in a mapped file, not in memory of the process's own.
  ///   - addressesInUse: bytes of addresses this process has, the model's mapped files among them.
  /// - Throws: `MemoryError` when the model does not fit.
  init(
    _ needs: MemoryNeeds, path: String, experts: ExpertPlacement, contextLength: Int?, modelContextLength: Int,
    limits: MemoryLimits, packsIntoFile: Bool = false, addressesInUse: Int
  ) throws(MemoryError) {
    let asked = contextLength.map { min($0, modelContextLength) }
    let rows = min(Self.promptRows, asked ?? modelContextLength)
    let positions = (asked ?? rows) + 63
    let cache = Part(
      name: "cache of \(asked ?? rows) positions", bytes: Self.product(needs.cachePerPosition, positions / 64 * 64))
    let own = [
      cache, Part(name: "activations", bytes: needs.activationsPerRow * rows + needs.logitsPerRow * EngineLoop.decodedRows),
      Part(name: "copies of weights", bytes: needs.copies), Part(name: "the program", bytes: Self.programBytes),
    ]
    let expertBytes = needs.experts.reduce(0, +)
    // At least one expert, with what lies on its pages beside it.
    let least = needs.largestExpert + 6 * 4096
    var held = Part(name: "experts", bytes: needs.expertsInMemory), strips = needs.sharedStrips + needs.expertStrips
    var expertMemory: Int?
    if case .disk(let residentBytes) = experts, expertBytes > 0 {
      held = Part(name: "experts", bytes: residentBytes ?? least)
      strips = needs.sharedStrips
      if let residentBytes, residentBytes < least { throw .expertMemoryTooSmall(found: residentBytes, expected: least) }
      // Experts are held as whole pages.
      let pages = needs.expertCount * needs.experts.count { $0 > 0 } * 6 * 4096
      expertMemory = residentBytes ?? expertBytes + pages
    }

    let heldBytes = held.bytes
    func check(_ parts: [Part], _ limit: MemoryLimits.Limit?) throws(MemoryError) {
      guard let limit else { return }
      let total = Self.sum(parts.map(\.bytes))
      guard total > limit.bytes else { return }
      throw .doesNotFit(
        MemoryError.Misfit(
          path: path, parts: parts.filter { $0.bytes > 0 }, needed: total, allowed: limit.bytes, source: limit.source,
          withoutExperts: experts == .memory && expertBytes > 0 ? total - heldBytes + least : nil,
          couldShortenContext: asked != nil && cache.bytes > total / 8))
    }
    let weights = Part(name: "weights", bytes: needs.sharedInMemory)
    let resident = [weights, held] + own
    try check(resident, limits.resident)
    leastResident = Self.sum(resident.map(\.bytes))
    // Mapped files take addresses once, whatever of them is in memory; only packed weights and experts read from disk take more.
    let packed = Part(name: "packed weights", bytes: strips), copied = (expertMemory == nil ? [] : [held])
    try check(
      [Part(name: "mapped files and what the program has", bytes: addressesInUse), packed] + copied + own.dropLast(),
      limits.addresses)
    let ownPacked = packsIntoFile ? [] : [packed]
    try check(ownPacked + copied + own, limits.data)
    leastData = Self.sum((ownPacked + copied + own).map(\.bytes))

    if case .disk(nil) = experts, let bytes = expertMemory {
      // A sixteenth stays free, since memory that is full is slow.
      let planned = needs.cachePerPosition * max(0, min(Self.plannedPositions, modelContextLength) - positions)
      var left = bytes
      let rest = Self.sum(own.map(\.bytes) + [asked == nil ? planned : 0])
      left = min(left, limits.resident.bytes / 16 * 15 - Self.sum([weights.bytes, rest]))
      if let addresses = limits.addresses {
        left = min(left, addresses.bytes / 16 * 15 - Self.sum([addressesInUse, strips, rest]))
      }
      if let data = limits.data { left = min(left, data.bytes / 16 * 15 - Self.sum([rest] + ownPacked.map(\.bytes))) }
      expertMemory = max(left, held.bytes)
    }
    self.expertMemory = expertMemory
    // A sixteenth stays free here too.
    let others = Self.sum(own.dropFirst().map(\.bytes) + [weights.bytes, expertMemory ?? held.bytes])
    cacheMemory = max(cache.bytes, limits.resident.bytes / 16 * 15 - others)
    if let data = limits.data {
      let others = Self.sum((ownPacked + own.dropFirst()).map(\.bytes) + [expertMemory ?? 0])
      cacheMemory = max(cache.bytes, min(cacheMemory, data.bytes / 16 * 15 - others))
    }
  }

  /// Numbers that are not negative; what is too large becomes the largest, which fits nowhere.
  private static func sum(_ values: [Int]) -> Int {
    values.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
  }

  private static func product(_ a: Int, _ b: Int) -> Int {
    let (value, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? .max : value
  }

  /// Bytes of addresses this process has.
  static func addressesInUse() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
      let pages = text.split(separator: " ").first.flatMap({ Int($0) })
    else { return 0 }
    return pages * Int(getpagesize())
  }

  /// Whether the model's files can be mapped at all, from their sizes.
  static func checkAddresses(path: String, files: [String], limits: MemoryLimits) throws(MemoryError) {
    guard let limit = limits.addresses else { return }
    let bytes = sum(
      files.map { file in
        var status = stat()
        return stat(file, &status) == 0 ? Int(status.st_size) : 0
      })
    let inUse = addressesInUse(), needed = sum([bytes, inUse])
    guard needed > limit.bytes else { return }
    throw .doesNotFit(
      MemoryError.Misfit(
        path: path, parts: [Part(name: "files to map", bytes: bytes), Part(name: "what the program has", bytes: inUse)],
        needed: needed, allowed: limit.bytes, source: limit.source, withoutExperts: nil,
        couldShortenContext: false))
  }
}

/// Why a model is not loaded: it takes more memory than there is.
public enum MemoryError: Error, Sendable, Equatable, CustomStringConvertible {
  case doesNotFit(Misfit)
  /// Less than one expert.
  case expertMemoryTooSmall(found: Int, expected: Int)

  public struct Misfit: Sendable, Equatable {
    public var path: String
    public var parts: [MemoryPlan.Part]
    public var needed: Int
    public var allowed: Int
    /// Whose limit it is.
    public var source: String
    /// What would be needed with the experts on disk, for models that have some.
    public var withoutExperts: Int?
    public var couldShortenContext: Bool
  }

  public var description: String {
    switch self {
    case .expertMemoryTooSmall(let found, let expected):
      return "memory for experts: found \(Self.text(found)), expected at least one expert's \(Self.text(expected))"
    case .doesNotFit(let misfit):
      let parts = misfit.parts.map { "\($0.name) \(Self.text($0.bytes))" }.joined(separator: ", ")
      var advice: [String] = []
      if let bytes = misfit.withoutExperts, bytes <= misfit.allowed {
        advice.append("leave the experts on disk (--experts-on-disk), which needs \(Self.text(bytes)) or more")
      }
      if misfit.couldShortenContext { advice.append("ask for a smaller context (--context)") }
      advice.append("take a smaller model or quantisation")
      return "\(misfit.path) needs \(Self.text(misfit.needed)) of memory (\(parts)), but \(misfit.source) is "
        + "\(Self.text(misfit.allowed)); \(advice.joined(separator: ", or "))"
    }
  }

  /// `8.91 GB`
  static func text(_ bytes: Int) -> String {
    bytes < 1_000_000
      ? String(format: "%.1f kB", Double(bytes) / 1e3)
      : bytes < 1_000_000_000 ? String(format: "%.1f MB", Double(bytes) / 1e6) : String(format: "%.2f GB", Double(bytes) / 1e9)
  }
}

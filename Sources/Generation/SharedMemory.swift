internal import SwiftletModels

extension MemoryLimits {
  /// What each of several models may take that run in one process: what it needs, and an equal part of what all of them leave.
  /// Caches take that, and experts that are read from disk. Together they never take more than there is.
  ///
  /// Only headers are read. Addresses are not shared: what models before have is counted when the next is loaded.
  /// - Parameters:
  ///   - paths: GGUF files or folders, of one process all that it loads.
  ///   - experts: as they will be loaded, and so is `contextLength`.
  ///   - packsIntoFile: whether packed weights lie in a mapped file; else they are memory of the process's own.
  /// - Returns: the limits for each model. Where they do not fit together, the model is refused with these, and the numbers are told.
  /// - Throws: what `LoadedModel` throws for files that cannot be read.
  public func shares(
    of paths: [String], experts: ExpertPlacement = .memory, contextLength: Int? = nil, packsIntoFile: Bool = true
  ) throws -> [MemoryLimits] {
    if paths.count < 2 { return paths.map { _ in self } }
    let unlimited = MemoryLimits(resident: Limit(bytes: .max, source: "nothing"))
    let plans = try paths.map { path in
      let (configuration, weights) = try LoadedModel.headers(path: path)
      return try MemoryPlan(
        MemoryNeeds(configuration, weights: weights), path: path, experts: experts, contextLength: contextLength,
        modelContextLength: configuration.contextLength, limits: unlimited, packsIntoFile: packsIntoFile, addressesInUse: 0)
    }
    return plans.indices.map { index in
      var limits = self
      limits.resident = resident.share(of: index, needs: plans.map(\.leastResident))
      limits.data = data?.share(of: index, needs: plans.map(\.leastData))
      return limits
    }
  }
}

extension MemoryLimits.Limit {
  fileprivate func share(of index: Int, needs: [Int]) -> MemoryLimits.Limit {
    let rest = needs.reduce(bytes) { $0.subtractingReportingOverflow($1).overflow ? .min : $0 - $1 }
    // Where they do not fit, what the others leave is less than the model needs.
    let (share, overflow) = needs[index].addingReportingOverflow(rest > 0 ? rest / needs.count : rest)
    return MemoryLimits.Limit(bytes: overflow ? 0 : max(0, share), source: "what other models leave of \(source)")
  }
}

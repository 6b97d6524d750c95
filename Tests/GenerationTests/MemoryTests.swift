import Foundation
import Swiftlet
import SwiftletModels
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// Models that do not fit are refused with the numbers; limits are found where systems state them.
@Suite struct MemoryTests {
  private static func limits(_ bytes: Int, addresses: Int? = nil, data: Int? = nil) -> MemoryLimits {
    MemoryLimits(
      resident: .init(bytes: bytes, source: "the test"), addresses: addresses.map { .init(bytes: $0, source: "addresses") },
      data: data.map { .init(bytes: $0, source: "data") })
  }

  private static func misfit(_ body: () throws -> Void) throws -> MemoryError.Misfit {
    let error = try #require(#expect(throws: MemoryError.self) { try body() })
    guard case .doesNotFit(let misfit) = error else { throw error }
    return misfit
  }

  @Test(arguments: ["llama-mha", "deepseek-v3"]) func aModelThatDoesNotFitIsRefused(_ name: String) throws {
    let path = TinyModels.checkpoint(name)
    let misfit = try Self.misfit { _ = try LoadedModel(path: path, limits: Self.limits(1 << 20)) }
    #expect(misfit.path == path && misfit.allowed == 1 << 20 && misfit.source == "the test")
    #expect(misfit.needed == misfit.parts.reduce(0) { $0 + $1.bytes })
    #expect((misfit.withoutExperts == nil) == (name == "llama-mha"))
    let text = MemoryError.doesNotFit(misfit).description
    for word in ["weights", "cache", "activations", "the test is 1.0 MB", path] { #expect(text.contains(word), "\(text)") }
    _ = try LoadedModel(path: path, limits: Self.limits(misfit.needed))
    #expect(throws: MemoryError.self) { try LoadedModel(path: path, limits: Self.limits(misfit.needed - 1)) }
    _ = try LoadedModel(path: path, limits: nil)
    #expect(throws: MemoryError.self) { try LanguageModel(path: path, memory: Self.limits(1 << 20)) }
  }

  @Test func expertsOnDiskNeedLess() throws {
    let path = TinyModels.checkpoint("deepseek-v3")
    let misfit = try Self.misfit { _ = try LoadedModel(path: path, limits: Self.limits(1 << 20)) }
    // Enough for what is said to suffice, not for all experts.
    let enough = try #require(misfit.withoutExperts)
    #expect(enough < misfit.needed)
    let limits = Self.limits(misfit.needed - 1)
    #expect(
      MemoryError.doesNotFit(try Self.misfit { _ = try LoadedModel(path: path, limits: limits) }).description
        .contains("--experts-on-disk"))
    _ = try LoadedModel(path: path, experts: .disk(residentBytes: nil), limits: limits)
    _ = try LoadedModel(path: path, experts: .disk(residentBytes: nil), limits: Self.limits(enough))
    #expect(throws: MemoryError.self) {
      try LoadedModel(path: path, experts: .disk(residentBytes: nil), limits: Self.limits(enough - 1))
    }
    #expect(throws: MemoryError.self) { try LoadedModel(path: path, experts: .disk(residentBytes: 1 << 40), limits: limits) }
    let error = #expect(throws: MemoryError.self) { try LoadedModel(path: path, experts: .disk(residentBytes: 100)) }
    guard case .expertMemoryTooSmall(100, _)? = error else { throw MissingError() }
    // Models without experts have nothing to leave on disk.
    _ = try LoadedModel(path: TinyModels.checkpoint("llama-mha"), experts: .disk(residentBytes: 100))
  }

  private struct MissingError: Error {}

  /// The rest of what may be used is the experts', within the limits.
  @Test func expertsTakeWhatIsLeft() throws {
    var needs = try Self.needs(of: "deepseek-v3")
    needs.experts = needs.experts.map { $0 * 1_000_000 }
    func expertMemory(_ limits: MemoryLimits) throws -> Int {
      let plan = try MemoryPlan(
        needs, path: "m", experts: .disk(residentBytes: nil), contextLength: nil, modelContextLength: 4096, limits: limits,
        addressesInUse: 1 << 30)
      return try #require(plan.expertMemory)
    }
    let whole = try expertMemory(Self.limits(1 << 60))
    // With what lies on their pages beside them.
    let sum = needs.experts.reduce(0, +)
    #expect(whole >= sum && whole < sum + 1 << 20)
    let half = try expertMemory(Self.limits(whole / 2))
    #expect(half < whole / 32 * 15 && half > whole / 32 * 14)
    #expect(try expertMemory(Self.limits(1 << 60, data: whole / 4)) < whole / 4)
    #expect(try expertMemory(Self.limits(1 << 60, addresses: whole / 4)) < whole / 4 - 1 << 30)
    let error = #expect(throws: MemoryError.self) { try expertMemory(Self.limits(1 << 60, addresses: 1 << 30)) }
    #expect(error?.description.contains("mapped files") == true)
  }

  private static func needs(of name: String) throws -> MemoryNeeds {
    let loaded = try LoadedModel(path: TinyModels.checkpoint(name))
    return MemoryNeeds(loaded.configuration, weights: loaded.weights)
  }

  /// Only a context that was asked for must fit; the cache grows as it is used.
  @Test func aContextThatDoesNotFitIsRefused() throws {
    let needs = try Self.needs(of: "llama-mha")
    func plan(_ context: Int?) throws {
      _ = try MemoryPlan(
        needs, path: "m", experts: .memory, contextLength: context, modelContextLength: 1 << 30, limits: Self.limits(1 << 30),
        addressesInUse: 0)
    }
    try plan(nil)
    try plan(4096)
    let misfit = try Self.misfit { try plan(1 << 28) }
    #expect(misfit.couldShortenContext)
    #expect(MemoryError.doesNotFit(misfit).description.contains("--context"))
  }

  /// Several models in one process share its memory by what each of them needs.
  @Test func severalModelsShareMemory() throws {
    let paths = ["llama-mha", "deepseek-v3"].map { TinyModels.checkpoint($0) }
    let needed = try paths.map { path in
      try Self.misfit { _ = try LoadedModel(path: path, limits: Self.limits(1 << 20)) }.needed
    }
    let sum = needed.reduce(0, +)
    #expect(try Self.limits(5).shares(of: [paths[0]]) == [Self.limits(5)])
    let shares = try Self.limits(sum + 1 << 30).shares(of: paths)
    #expect(shares.map(\.resident.bytes) == needed.map { $0 + 1 << 29 })
    let caches = try zip(paths, shares).compactMap { try LoadedModel(path: $0, limits: $1).cacheMemory }
    #expect(caches.count == 2 && caches.allSatisfy { $0 > 1 << 28 } && caches.reduce(0, +) < 1 << 30)
    // A byte less than they need together, and each is told what the other one leaves.
    let tight = try Self.limits(sum - 1).shares(of: paths)
    #expect(tight.map(\.resident.bytes) == needed.map { $0 - 1 })
    let misfit = try Self.misfit { _ = try LoadedModel(path: paths[0], limits: tight[0]) }
    #expect(misfit.needed == needed[0] && misfit.source == "what other models leave of the test")
    #expect(try Self.limits(1).shares(of: paths).map(\.resident.bytes) == [0, 0])
    // Packed weights that are not kept in a file are memory of the process's own.
    let data = try paths.map { path in
      try Self.misfit { _ = try LoadedModel(path: path, limits: Self.limits(1 << 40, data: 1 << 20)) }.needed
    }
    let unkept = try Self.limits(1 << 40, data: data.reduce(0, +)).shares(of: paths, packsIntoFile: false)
    #expect(unkept.map { $0.data?.bytes } == data)
    for (path, limits) in zip(paths, unkept) { _ = try LoadedModel(path: path, limits: limits) }
    // The same for memory of the process's own. Experts on disk take what is theirs only.
    for experts in [ExpertPlacement.memory, .disk(residentBytes: nil)] {
      let own = try Self.limits(1 << 40, data: 1 << 31).shares(of: paths, experts: experts)
      #expect(own.compactMap(\.data?.bytes).reduce(0, +) <= 1 << 31)
      for (path, limits) in zip(paths, own) { _ = try LoadedModel(path: path, experts: experts, limits: limits) }
    }
  }

  @Test func limitsOfControlGroups() {
    let version1 = """
      9:name=systemd:/
      4:cpu,memory:/outer/inner
      0::/
      """
    let mounts1 = """
      32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
      35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
      """
    func limits(_ groups: String, _ mounts: String, _ files: [String: String]) -> [Int] {
      MemoryLimits.controlGroupLimits(groups: groups, mounts: mounts) { files[$0] }.map(\.bytes)
    }
    let files1 = [
      "/sys/fs/cgroup/memory/outer/inner/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/outer/memory.limit_in_bytes": "6442450944\n",
    ]
    #expect(limits(version1, mounts1, files1) == [9_223_372_036_854_771_712, 6_442_450_944])
    let mounts2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw"
    let files2 = [
      "/sys/fs/cgroup/user/app/memory.max": "max\n", "/sys/fs/cgroup/user/app/memory.high": "300\n",
      "/sys/fs/cgroup/user/memory.max": "500\n",
    ]
    #expect(limits("0::/user/app\n", mounts2, files2) == [300, 500])
    // A container: the mount shows what is below its own group.
    let part = "31 23 0:28 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
    #expect(limits("0::/docker/abc\n", part, ["/sys/fs/cgroup/memory.max": "700"]) == [700])
    #expect(limits("0::/\n", part, ["/sys/fs/cgroup/memory.max": "700"]).first == 700)
    for broken in ["", "x", "- - -", "31 23 0:28 / - cgroup2"] { #expect(limits("0::/", broken, [:]).isEmpty) }
    #expect(MemoryLimits.current.resident.bytes > 0)
  }
}

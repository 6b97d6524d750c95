import Foundation
import Swiftlet
import SwiftletTensors
import Synchronization
import Testing

@testable import SwiftletGeneration

/// What is kept of prompts on disk.
@Suite struct PrefixStoreTests {
  /// A folder that is gone after the test.
  private final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("prefixes-\(UUID().uuidString)").path
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var files: [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasSuffix(PrefixStore.suffix) }
        .map { path + "/" + $0 }.sorted()
    }
  }

  private static func engine(
    _ name: String, _ store: PrefixStore?, threads: Int = 2, shares: Bool = false
  ) throws -> Engine {
    let folder = name.hasPrefix("quantized") ? EngineTests.quantized : EngineTests.fixtures
    let loaded = try LoadedModel(path: folder.appendingPathComponent(name).path)
    return Engine(
      decoder: loaded.decoder, tokenizer: loaded.tokenizer, endTokens: loaded.endTokens, threadCount: threads,
      limits: EngineLimits(sharesPrefixes: shares), prefixes: store, identity: loaded.identity)
  }

  /// An answer with the likelihoods of its tokens.
  private struct Answer {
    var completion = Completion()
    var likelihoods: [UInt64] = []
    var tokens: [Int32] { completion.tokens }
    var cachedTokens: Int? { completion.summary?.cachedTokens }
  }

  /// A store, once the engine that had the folder before has ended.
  private static func store(
    _ folder: Folder, onEvent: @escaping @Sendable (PrefixStore.Event) -> Void = { _ in }
  ) async throws -> PrefixStore {
    for _ in 0..<500 {
      do { return try PrefixStore(folder: folder.path, onEvent: onEvent) } catch PrefixStoreError.inUse {}
      try await Task.sleep(for: .milliseconds(10))
    }
    return try PrefixStore(folder: folder.path, onEvent: onEvent)
  }

  /// An answer, all of whose prompt is kept when this returns.
  private static func answer(_ engine: Engine, _ prompt: [Int32], tenant: Int = 0) async throws -> Answer {
    var options = EngineTests.options
    options.topLogProbabilities = 2
    var request = GenerationRequest(prompt: prompt, options: options)
    request.tenant = tenant
    var answer = Answer()
    for try await event in try engine.generate(request) {
      answer.completion.add(event)
      if case .token(let token) = event, let likelihood = token.logProbabilities {
        answer.likelihoods.append(likelihood.chosen.bitPattern)
      }
    }
    await engine.finishPrefixes()
    return answer
  }

  /// A store and an engine of their own read what others wrote, as after a restart, and the answers are the same bits. Where weights are
  /// not quantised, the answer's positions serve a prompt too.
  @Test(arguments: ["qwen2-untied.gguf", "deepseek-v3.gguf", "quantized-deepseek2.gguf", "quantized-llama.gguf"])
  func outlivesTheProcess(_ name: String) async throws {
    let folder = Folder(), prompt = EngineTests.prompt(400)
    let fresh = try await Self.answer(try Self.engine(name, nil), prompt)
    do {
      let store = try await Self.store(folder)
      _ = try await Self.answer(try Self.engine(name, store), Array(prompt.prefix(350)))
      #expect(store.statistics.writtenBlocks >= 5)
      #expect(folder.files.count == store.statistics.blockCount)
    }
    let store = try await Self.store(folder)
    let again = try await Self.answer(try Self.engine(name, store, threads: 1), prompt)
    #expect(again.cachedTokens == 320)
    #expect(again.tokens == fresh.tokens)
    #expect(again.likelihoods == fresh.likelihoods)
    #expect(again.likelihoods.count == again.tokens.count)
    #expect(store.statistics.readBlocks == 5)
  }

  @Test func goesOnWhereMemoryEnds() async throws {
    let folder = Folder(), prompt = EngineTests.prompt(400)
    let store = try await Self.store(folder)
    _ = try await Self.answer(try Self.engine("quantized-llama.gguf", store), prompt)
    let engine = try Self.engine("quantized-llama.gguf", store)
    // In memory are 100 positions after this, which is no whole number of blocks.
    let other = Array(prompt.prefix(100)) + EngineTests.prompt(50, 3)
    #expect(try await Self.answer(engine, other).cachedTokens == 64)
    let last = try await Self.answer(engine, prompt)
    #expect(last.cachedTokens == 384)
    #expect(try await Self.answer(try Self.engine("quantized-llama.gguf", nil), prompt).tokens == last.tokens)
  }

  @Test func isNobodyElses() async throws {
    for shares in [false, true] {
      let folder = Folder(), prompt = EngineTests.prompt(200)
      let store = try await Self.store(folder)
      func cached(_ tenant: Int) async throws -> Int {
        let engine = try Self.engine("qwen2-untied.gguf", store, shares: shares)
        return try await Self.answer(engine, prompt, tenant: tenant).cachedTokens ?? -1
      }
      #expect(try await cached(1) == 0)
      #expect(try await cached(2) == (shares ? 192 : 0))
      #expect(try await cached(1) == 192)
    }
  }

  @Test func modelsAreTold() async throws {
    let folder = Folder(), prompt = EngineTests.prompt(200)
    let store = try await Self.store(folder)
    for name in ["qwen2-untied.gguf", "quantized-llama.gguf", "deepseek-v3.gguf"] {
      #expect(try await Self.answer(try Self.engine(name, store), prompt).cachedTokens == 0)
    }
  }

  enum Damage: String, CaseIterable {
    case aBit, theKey, cut, grown, empty, folder
  }

  /// Damaged files are told of and removed, and what they held is computed.
  @Test(arguments: Damage.allCases) func damageIsHarmless(_ damage: Damage) async throws {
    let folder = Folder(), prompt = EngineTests.prompt(200)
    let expected = try await Self.answer(try Self.engine("quantized-llama.gguf", nil), prompt)
    do {
      let store = try await Self.store(folder)
      _ = try await Self.answer(try Self.engine("quantized-llama.gguf", store), prompt)
    }
    let files = folder.files
    #expect(files.count == 3)
    for file in files {
      var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
      switch damage {
      case .aBit: bytes[bytes.count / 2] ^= 4
      case .theKey: bytes[30] ^= 1
      case .cut: bytes.removeLast()
      case .grown: bytes.append(0)
      case .empty: bytes = Data()
      case .folder:
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        continue
      }
      try bytes.write(to: URL(fileURLWithPath: file))
    }
    let told = Mutex(0)
    let store = try await Self.store(folder) { _ in told.withLock { $0 += 1 } }
    // Each answer meets the next damaged file, which is then written anew.
    for found in damage == .folder ? [0] : [0, 64, 128, 192] {
      let answer = try await Self.answer(try Self.engine("quantized-llama.gguf", store), prompt)
      #expect(answer.tokens == expected.tokens)
      #expect(answer.cachedTokens == found)
    }
    // Folders are nobody's files and stay; blocks cannot take their places, which is told once.
    #expect(told.withLock { $0 } == (damage == .folder ? 1 : 3))
    #expect(store.statistics.damagedBlocks == (damage == .folder ? 0 : 3))
  }

  private static func key(_ number: Int) -> PrefixKey { PrefixKey(model: "\(number)", tenant: nil) }

  private static func block(_ byteCount: Int, _ value: UInt8 = 1) -> Storage {
    let block = Storage(byteCount: byteCount)
    memset(block.address, Int32(value), byteCount)
    return block
  }

  @Test func givesWay() throws {
    let folder = Folder(), size = 10_000
    let store = try PrefixStore(folder: folder.path, limit: 10 * (size + PrefixFile.headerBytes))
    for number in 0..<10 {
      store.keep([(Self.key(number), Self.block(size))])
      store.flush()
    }
    #expect(store.statistics.blockCount == 10)
    // What is used stays.
    #expect(store.read(Self.key(0), place: 0, byteCount: size) != nil)
    store.keep([(Self.key(10), Self.block(size))])
    store.flush()
    #expect(store.read(Self.key(0), place: 0, byteCount: size) != nil)
    #expect(store.read(Self.key(1), place: 0, byteCount: size) == nil)
    #expect(store.read(Self.key(10), place: 0, byteCount: size) != nil)
    #expect(store.statistics.byteCount <= store.limit)
    #expect(PrefixStore.byteCount(of: folder.path) == store.statistics.byteCount)
    // Too large for the limit: nothing is removed for it.
    let count = store.statistics.blockCount
    store.keep([(Self.key(11), Self.block(20 * size))])
    store.flush()
    #expect(store.statistics.blockCount == count)
    #expect(PrefixStore.clear(folder.path) == count * (size + PrefixFile.headerBytes))
    #expect(store.read(Self.key(10), place: 0, byteCount: size) == nil)
  }

  /// What somebody else cleared counts no longer and is written again, with all that a conversation still holds in memory.
  @Test func noticesThatItWasCleared() async throws {
    let folder = Folder(), size = 5000, file = size + PrefixFile.headerBytes
    let store = try await Self.store(folder)
    let blocks = (0..<3).map { (key: Self.key($0), block: Self.block(size)) }
    store.keep(blocks)
    store.flush()
    for written in [6, 9] {
      #expect(PrefixStore.clear(folder.path) == 3 * file)
      store.keep(blocks)
      store.flush()
      #expect(store.statistics.writtenBlocks == written)
      #expect(store.statistics.blockCount == 3 && store.statistics.byteCount == 3 * file)
      #expect(PrefixStore.byteCount(of: folder.path) == 3 * file)
      #expect(store.read(Self.key(2), place: 2, byteCount: size) != nil)
    }
    // What was there is not written twice.
    store.keep(blocks)
    store.flush()
    #expect(store.statistics.writtenBlocks == 9)
    // An answer does so, too.
    let prompt = EngineTests.prompt(200), engine = try Self.engine("quantized-llama.gguf", store)
    _ = try await Self.answer(engine, prompt)
    _ = PrefixStore.clear(folder.path)
    #expect(try await Self.answer(engine, prompt).cachedTokens ?? 0 > 190)
    #expect(store.statistics.blockCount == 3 && folder.files.count == 3)
  }

  /// A prompt's last blocks go first, also when the limit is lower after a restart.
  @Test func beginningsStayLongest() async throws {
    let folder = Folder(), size = 5000
    do {
      let store = try await Self.store(folder)
      store.keep((0..<8).map { (Self.key($0), Self.block(size)) })
      store.flush()
    }
    let store = try PrefixStore(folder: folder.path, limit: 4 * (size + PrefixFile.headerBytes))
    #expect(store.statistics.blockCount < 5)
    for number in 0..<8 {
      #expect((store.read(Self.key(number), place: number, byteCount: size) != nil) == (number < store.statistics.blockCount))
    }
  }

  @Test func belongsToOneProcess() async throws {
    let folder = Folder()
    var store: PrefixStore? = try await Self.store(folder)
    #expect(throws: PrefixStoreError.inUse(folder: folder.path)) { try PrefixStore(folder: folder.path) }
    #expect(store != nil)
    store = nil
    _ = try await Self.store(folder)
  }

  @Test func tellsWhatItCannotUse() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("file-\(UUID().uuidString)")
    try Data("x".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(throws: PrefixStoreError.self) { try PrefixStore(folder: file.path) }
    #expect(throws: PrefixStoreError.self) { try PrefixStore(folder: file.path + "/below") }
  }

  /// What an interrupted write left goes; what is not the store's stays.
  @Test func leftoversGo() async throws {
    let folder = Folder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    let left = folder.path + "/" + Self.key(1).name + ".prefix.partial", other = folder.path + "/notes.txt"
    for path in [left, other] { try Data("x".utf8).write(to: URL(fileURLWithPath: path)) }
    let store = try await Self.store(folder)
    #expect(store.statistics == PrefixStore.Statistics())
    #expect(!FileManager.default.fileExists(atPath: left))
    #expect(FileManager.default.fileExists(atPath: other))
  }

  /// A folder that vanishes, as a disk that fails: told once, and the engine goes on.
  @Test func goesOnWithoutADisk() async throws {
    let folder = Folder()
    let told = Mutex<[PrefixStore.Event]>([])
    let store = try await Self.store(folder) { event in told.withLock { $0.append(event) } }
    try FileManager.default.removeItem(atPath: folder.path)
    for number in 0..<3 { store.keep([(Self.key(number), Self.block(100))]) }
    store.flush()
    #expect(told.withLock(\.count) == 1)
    #expect(store.statistics.byteCount == 0)
    #expect(store.read(Self.key(0), place: 0, byteCount: 100) == nil)
  }
}

import Foundation
import SwiftletCheckpoints
import SwiftletTensors
import Synchronization
import Testing

@testable import SwiftletModels

/// Packed weights that are kept in files.
@Suite(.timeLimit(.minutes(2))) struct PackedWeightsTests {
  /// A folder for one test; removed with the last reference to it.
  private final class Folder: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/swiftlet-packed-" + UUID().uuidString
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit {
      chmod(path, 0o700)
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  private let folder: Folder
  private let events = Events()

  private final class Events: Sendable {
    let list = Mutex<[PackedWeightCache.Event]>([])
    func take() -> [PackedWeightCache.Event] {
      list.withLock { list in
        defer { list = [] }
        return list
      }
    }
    /// Why nothing was kept.
    func reasons() -> [String] { take().compactMap { if case .notKept(let reason) = $0 { reason } else { nil } } }
  }

  init() throws { folder = try Folder() }

  private func makeCache(_ limit: Int? = 1 << 30, in path: String? = nil) -> PackedWeightCache {
    let events = events
    return PackedWeightCache(folder: path ?? folder.path + "/cache", limit: limit) { event in
      events.list.withLock { $0.append(event) }
    }
  }

  private static func path(_ name: String) -> String {
    if name.hasPrefix("quantized") {
      return Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("GenerationTests/Fixtures/\(name)").path
    }
    return Fixtures.folder.appendingPathComponent("\(name.hasSuffix(".gguf") ? "gguf" : "checkpoints")/\(name)").path
  }

  private struct Model {
    let configuration: ModelConfiguration
    let source: WeightSource

    init(_ path: String) throws {
      if path.hasSuffix(".gguf") {
        let file = try GGUFFile(path: path)
        configuration = try ModelConfiguration(gguf: file)
        source = .gguf(file)
      } else {
        configuration = try ModelConfiguration(
          json: MappedFile(path: path + "/config.json").json(), source: path + "/config.json")
        source = .safetensors(try SafetensorsFolder(path: path))
      }
    }

    func decoder(_ cache: PackedWeightCache, expertMemory: Int? = nil) throws -> Decoder? {
      try Decoder.cached(
        in: cache, configuration, weights: source, needs: MemoryNeeds(configuration, weights: source), expertMemory: expertMemory)
    }
  }

  private static func bits(_ decoder: Decoder) -> [UInt32] {
    let ids = (0..<40).map { ($0 * 7 + 3) % decoder.configuration.vocabularySize }, compute = Compute(threadCount: 2)
    return
      (logits(decoder, ids: ids, chunk: 40, compute: compute)
      + logits(decoder, ids: Array(ids.prefix(20)), chunk: 1, compute: compute, role: .generated)).map(\.bitPattern)
  }

  /// The only file of the cache.
  private func onlyFile(_ cache: PackedWeightCache) throws -> String {
    let entries = cache.entries()
    try #require(entries.count == 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder).count == 1)
    return entries[0].path
  }

  /// In memory, made anew, and found at later starts.
  @Test(arguments: [
    "quantized-deepseek2.gguf", "quantized-llama.gguf", "deepseek-v2-lite.gguf", "deepseek-v2-lite-whole.gguf",
    "deepseek-v3-bf16", "deepseek-v3-fp8", "deepseek-v3-next-token", "deepseek-v3-sharded", "llama-gqa-tied",
    "qwen2-bf16",
  ]) func theBitsAreTheSame(_ name: String) throws {
    let model = try Model(Self.path(name)), cache = makeCache()
    let expected = Self.bits(try Decoder(model.configuration, weights: model.source))
    for start in 0..<3 {
      let decoder = try #require(try model.decoder(cache), "\(name)")
      #expect(Self.bits(decoder) == expected, "\(name), start \(start)")
      #expect(events.take().isEmpty == (start > 0), "\(name), start \(start)")
    }
    let entry = try #require(cache.entries().first)
    #expect(entry.model == Self.path(name))
    try cache.verify(entry)
    // Experts that stay on disk are not packed: a file of their own.
    if model.configuration.mixture != nil {
      for _ in 0..<2 { #expect(Self.bits(try #require(try model.decoder(cache, expertMemory: 1 << 20))) == expected, "\(name)") }
      #expect(cache.entries().count == 2)
    }
    let needs = MemoryNeeds(model.configuration, weights: model.source)
    #expect(entry.byteCount >= needs.sharedStrips + needs.expertStrips)
  }

  /// F16 is computed with as it is stored.
  @Test func nothingToPackIsNothingToKeep() throws {
    #expect(try Model(Self.path("llama-f16")).decoder(makeCache()) == nil)
    #expect(events.take().isEmpty)
  }

  private static let model = "quantized-deepseek2.gguf"

  enum Damage: CaseIterable { case cut, emptied, altered, header, index, foreign, otherModel, grown }

  @Test(arguments: Damage.allCases) func aDamagedFileIsMadeAgain(_ damage: Damage) throws {
    let model = try Model(Self.path(Self.model)), cache = makeCache()
    let expected = Self.bits(try #require(try model.decoder(cache)))
    let path = try onlyFile(cache), size = try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    func write(at offset: Int) throws {
      let file = try #require(FileHandle(forUpdatingAtPath: path))
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: Data([0x55, 0xAA, 0x55, 0xAA]))
      try file.close()
    }
    switch damage {
    case .cut: try #require(truncate(path, off_t(size - 100)) == 0)
    case .emptied: try #require(truncate(path, 0) == 0)
    case .altered: try write(at: 4096 + 200)
    case .header: try write(at: 8)
    case .index: try write(at: size - 20)
    case .foreign: try Data(repeating: 7, count: size).write(to: URL(fileURLWithPath: path))
    case .otherModel:
      let others = makeCache(in: folder.path + "/others"), other = try Model(Self.path("quantized-llama.gguf"))
      _ = try other.decoder(others)
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: try onlyFile(others), toPath: path)
    case .grown: try #require(truncate(path, off_t(size + 100)) == 0)
    }
    _ = events.take()
    #expect(Self.bits(try #require(try model.decoder(cache))) == expected)
    #expect(!events.take().isEmpty)
    try PackedFile(path: onlyFile(cache)).verify()
    #expect(Self.bits(try #require(try model.decoder(cache))) == expected)
    #expect(events.take().isEmpty)
  }

  /// Bytes that change without a trace in the file's times: the checksums tell, and a comparison with the model's own weights.
  @Test func silentDamageIsFound() throws {
    let model = try Model(Self.path(Self.model)), cache = makeCache()
    let expected = Self.bits(try #require(try model.decoder(cache)))
    let path = try onlyFile(cache), whole = try PackedFile(path: path)
    var status = stat()
    try #require(stat(path, &status) == 0)
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    for entry in whole.entries.values {
      try file.seek(toOffset: UInt64(entry.byteOffset))
      try file.write(contentsOf: Data(repeating: 0x33, count: entry.byteCount))
    }
    try file.close()
    try #require(utimensat(AT_FDCWD, path, [status.st_atim, status.st_mtim], 0) == 0)
    let damaged = try PackedFile(path: path)
    #expect(throws: CheckpointError.self) { try damaged.verify() }
    #expect(Self.bits(try #require(try model.decoder(cache))) == expected)
    try PackedFile(path: onlyFile(cache)).verify()
  }

  /// Other bytes under the name of the model.
  @Test func aChangedModelIsPackedAnew() throws {
    let path = folder.path + "/model.gguf", cache = makeCache()
    try FileManager.default.copyItem(atPath: Self.path("quantized-llama.gguf"), toPath: path)
    _ = try Model(path).decoder(cache)
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: Self.path(Self.model), toPath: path)
    let model = try Model(path), decoder = try #require(try model.decoder(cache))
    #expect(Self.bits(decoder) == Self.bits(try Decoder(model.configuration, weights: model.source)))
    // The old weights are gone.
    _ = try onlyFile(cache)
  }

  /// A model in use ends with an error when its packed weights are cut or written to, and not when they are removed.
  @Test func packedWeightsInUse() throws {
    let model = try Model(Self.path(Self.model)), cache = makeCache()
    for change in 0..<3 {
      let decoder = try #require(try model.decoder(cache)), path = try onlyFile(cache)
      let expected = Self.bits(decoder)
      try decoder.checkWeights()
      switch change {
      case 0: try #require(truncate(path, 5000) == 0)
      case 1: try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
      default: cache.remove(cache.entries())
      }
      if change == 2 {
        #expect(Self.bits(decoder) == expected)
        try decoder.checkWeights()
      } else if change == 0 {
        // Reads zeros where nothing is any more.
        _ = Self.bits(decoder)
        let error = #expect(throws: CheckpointError.self) { try decoder.checkWeights() }
        #expect(error?.file == path)
      }
    }
  }

  @Test func theModelUsedLongestAgoGivesWay() throws {
    let names = ["quantized-llama.gguf", "quantized-deepseek2.gguf", "deepseek-v2-lite.gguf"]
    let models = try names.map { try Model(Self.path($0)) }
    let sizes = try models.enumerated().map { number, model in
      let own = makeCache(in: folder.path + "/\(number)")
      _ = try model.decoder(own)
      return try #require(own.entries().first).byteCount
    }
    // Room for any two.
    let cache = makeCache(sizes.reduce(0, +) - 1)
    func listed(_ cache: PackedWeightCache) -> [String] {
      cache.entries().compactMap { ($0.model as NSString?)?.lastPathComponent }
    }
    func setUse(_ place: Int, _ seconds: Double) throws {
      let entry = try #require(cache.entries().first { $0.model?.hasSuffix(names[place]) == true })
      PackedFile.setLastUse(of: entry.path, to: Date(timeIntervalSinceNow: seconds))
    }
    for place in 0..<2 { #expect(try models[place].decoder(cache) != nil) }
    try setUse(0, -100)
    try setUse(1, -50)
    // Used again, so the other one goes.
    #expect(try models[0].decoder(cache) != nil)
    #expect(listed(cache) == [names[0], names[1]])
    #expect(try models[2].decoder(cache) != nil)
    #expect(Set(listed(cache)) == [names[0], names[2]])
    let held = cache.entries().map(\.byteCount).reduce(0, +), all = sizes.reduce(0, +)
    #expect(held < all)
  }

  /// Removing the file of a model that is running frees nothing: others give way, and where they are not enough none does.
  @Test func modelsThatRunKeepTheirFiles() throws {
    let cache = makeCache(), running = try Model(Self.path("quantized-llama.gguf")), other = try Model(Self.path(Self.model))
    let decoder = try running.decoder(cache)
    let path = try #require(cache.entries().first).path
    PackedFile.setLastUse(of: path, to: Date(timeIntervalSinceNow: -100))
    _ = try other.decoder(cache)
    let idle = try #require(cache.entries().first { $0.path != path })
    #expect(PackedFile.isInUse(path) && !PackedFile.isInUse(idle.path))
    // All but a few bytes of what is needed is free.
    let free = 1 << 16
    let reason = cache.makeRoom(for: idle.byteCount + 1000, in: (limit: 1 << 30, free: free))
    #expect(reason?.contains("running models") == true && cache.entries().count == 2, "\(reason ?? "")")
    #expect(cache.makeRoom(for: 1000, in: (limit: 1 << 30, free: free)) == nil)
    #expect(cache.entries().map(\.path) == [path])
    // The limit is one of names, and the oldest goes.
    let limit = try #require(cache.entries().first).byteCount + (1 << 16)
    #expect(cache.makeRoom(for: 1000, in: (limit: limit, free: 1 << 30)) == nil)
    #expect(cache.entries().isEmpty)
    withExtendedLifetime(decoder) {}
  }

  @Test func noRoomIsNoFailure() throws {
    let model = try Model(Self.path(Self.model))
    #expect(try model.decoder(makeCache(0)) == nil)
    #expect(events.take().isEmpty)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/cache"))
    #expect(try model.decoder(makeCache(1000)) == nil)
    #expect(events.reasons().first?.contains("1000") == true)
    // A file where the folder should be; and what cannot be written to.
    try Data([1]).write(to: URL(fileURLWithPath: folder.path + "/file"))
    for path in ["/proc/cache", folder.path + "/file/cache"] {
      #expect(try model.decoder(makeCache(in: path)) == nil)
      #expect(events.reasons().count == 1)
    }
  }

  /// What a process that was ended has left is begun anew by the next one, and removed by any.
  @Test func leftoversGo() throws {
    let model = try Model(Self.path(Self.model)), cache = makeCache()
    _ = try model.decoder(cache)
    let path = try onlyFile(cache)
    for name in [path + ".partial", cache.folder + "/other.strips.partial"] {
      try Data(repeating: 1, count: 100_000).write(to: URL(fileURLWithPath: name))
    }
    #expect(cache.entries().count == 1)
    unlink(path)
    #expect(try model.decoder(cache) != nil)
    #expect(try onlyFile(cache) == path)
  }

  @Test func onlyOneWrites() throws {
    let path = folder.path + "/x.strips"
    var first = try PackedFileWriter(path: path)
    #expect(first != nil)
    #expect(try PackedFileWriter(path: path) == nil)
    PackedFileWriter.removeLeftovers(in: folder.path, ofFilesEndingIn: ".strips")
    #expect(FileManager.default.fileExists(atPath: path + ".partial"))
    first = nil
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    #expect(try PackedFileWriter(path: path) != nil)
  }

  @Test func severalAtOnce() throws {
    let model = try Model(Self.path(Self.model)), cache = makeCache()
    let expected = Self.bits(try Decoder(model.configuration, weights: model.source))
    let wrong = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      let decoder = try? Model(Self.path(Self.model)).decoder(cache)
      if decoder.map(Self.bits) != expected { wrong.withLock { $0 += 1 } }
    }
    #expect(wrong.withLock { $0 } == 0)
    try PackedFile(path: onlyFile(cache)).verify()
  }

  /// Values of the specification's reference implementation.
  @Test func checksums() {
    #expect(Checksum64.of([]) == 0xEF46_DB37_51D8_E999)
    #expect(Checksum64.of(Array("a".utf8)) == 0xD24E_C4F1_A98C_6E5B)
    #expect(Checksum64.of(Array("abc".utf8)) == 0x44BC_2CF5_AD77_0999)
  }
}

internal import Crypto
public import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors
internal import Synchronization

/// A folder that keeps what was computed of prompts' beginnings, so that it outlives the process.
///
/// A file holds one block of a cache (`KeyValueCache`): 64 positions of all layers. It is named by a hash of the model, of whose
/// request it was, and of all tokens up to the block's end (`PrefixKey`), so conversations that begin alike share files, and those of
/// different keys never do. Files are written beside their place and renamed, have a checksum, and can be lost at any time. Those used
/// longest ago give way, of one prompt the last first. One process at a time has the folder; others may clear it (`clear`), which adds
/// a byte to the file `lock`, so that whoever has the folder notices.
public final class PrefixStore: Sendable {
  /// What goes wrong without harm.
  public enum Event: Sendable, Equatable {
    /// A file was not what was written, and is removed.
    case damaged(path: String)
    /// Nothing is written for a minute.
    case notKept(reason: String)
  }

  /// What a store holds and has done.
  public struct Statistics: Sendable, Equatable {
    public var byteCount = 0
    public var blockCount = 0
    public var readBlocks = 0
    public var writtenBlocks = 0
    public var removedBlocks = 0
    public var damagedBlocks = 0
  }

  private struct Entry {
    var byteCount: Int
    /// In nanoseconds since 1970, as far as the clock tells.
    var lastUse: Int
  }

  private struct State {
    var entries: [PrefixKey: Entry] = [:]
    var statistics = Statistics()
    /// No use is earlier than another before it, whatever the clock does.
    var latestUse = 0
    /// Blocks that are to be written.
    var pending: Set<PrefixKey> = []
    var pendingBytes = 0
    var pausedUntil: ContinuousClock.Instant?
    /// Clearings of the folder that were noticed.
    var clearingCount = 0

    var isPaused: Bool { pausedUntil.map { ContinuousClock.now < $0 } ?? false }
  }

  public let folder: String
  /// Bytes that all files may take together.
  public let limit: Int
  private let onEvent: @Sendable (Event) -> Void
  private let lock: FileLock
  private let state = Mutex(State())
  private let writing = DispatchQueue(label: "swiftlet-prefixes", qos: .utility)

  static let suffix = ".prefix"
  private static let partialSuffix = ".partial"
  private static let lockName = "lock"
  /// Blocks that wait to be written take memory; more than this are not kept.
  private static let largestBacklog = 256 << 20
  private static let pause = Duration.seconds(60)

  /// Takes a folder, which is made when it is missing, for the owner alone.
  /// - Parameters:
  ///   - limit: bytes that all files may take together; nil for a tenth of the disk, at most 10 GB.
  ///   - onEvent: called on any thread.
  /// - Throws: `PrefixStoreError`.
  public init(folder: String, limit: Int? = nil, onEvent: @escaping @Sendable (Event) -> Void = { _ in }) throws(PrefixStoreError)
  {
    self.folder = folder
    self.onEvent = onEvent
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .cannotBeUsed(folder: folder, reason: error.localizedDescription)
    }
    guard let space = DiskSpace(folder) else {
      throw .cannotBeUsed(folder: folder, reason: String(cString: strerror(errno)))
    }
    self.limit = limit ?? min(space.total / 10, 10_000_000_000)
    lock = try FileLock(folder + "/" + Self.lockName, folder: folder)
    state.withLock { state in
      state.clearingCount = lock.byteCount
      Self.find(Self.files(in: folder, removingPartial: true), &state)
      state.latestUse = state.entries.values.map(\.lastUse).max() ?? 0
    }
    // The limit may have been higher before.
    _ = makeRoom(for: 0)
  }

  public var statistics: Statistics { state.withLock(\.statistics) }

  /// What a folder holds, whether or not a process has it.
  public static func byteCount(of folder: String) -> Int {
    files(in: folder, removingPartial: false).values.reduce(0) { $0 + $1.byteCount }
  }

  /// Removes all files of a folder. A process that has it goes on with an empty one.
  /// - Returns: bytes that were freed.
  public static func clear(_ folder: String) -> Int {
    let freed = files(in: folder, removingPartial: false).reduce(0) { sum, file in
      unlink(path(of: file.key, in: folder)) == 0 ? sum + file.value.byteCount : sum
    }
    FileLock.addByte(to: folder + "/" + lockName)
    return freed
  }

  /// Notices that somebody cleared the folder, so that what is gone counts no longer and is written again.
  private func noticeClearing(_ state: inout State) {
    let count = lock.byteCount
    if count == state.clearingCount { return }
    state.clearingCount = count
    Self.find(Self.files(in: folder, removingPartial: false), &state)
  }

  /// Counts these files and no others.
  private static func find(_ files: [PrefixKey: (byteCount: Int, lastUse: Int)], _ state: inout State) {
    state.entries = files.mapValues { Entry(byteCount: $0.byteCount, lastUse: $0.lastUse) }
    state.statistics.blockCount = files.count
    state.statistics.byteCount = files.values.reduce(0) { $0 + $1.byteCount }
  }

  private static func files(in folder: String, removingPartial: Bool) -> [PrefixKey: (byteCount: Int, lastUse: Int)] {
    var files: [PrefixKey: (byteCount: Int, lastUse: Int)] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      let path = folder + "/" + name
      if removingPartial, name.hasSuffix(partialSuffix) { unlink(path) }
      var status = stat()
      guard name.hasSuffix(suffix), let key = PrefixKey(name: String(name.dropLast(suffix.count))), lstat(path, &status) == 0,
        status.st_mode & S_IFMT == S_IFREG
      else { continue }
      #if canImport(Darwin)
      let time = status.st_mtimespec
      #else
      let time = status.st_mtim
      #endif
      files[key] = (Int(status.st_size), nanoseconds(time))
    }
    return files
  }

  private static func path(of key: PrefixKey, in folder: String) -> String { folder + "/" + key.name + suffix }

  /// The block that a key stands for.
  /// - Parameters:
  ///   - place: how many blocks of its prompt are before it.
  ///   - byteCount: bytes of a block.
  /// - Returns: nil when it is not there or was damaged.
  func read(_ key: PrefixKey, place: Int, byteCount: Int) -> Storage? {
    guard let entry = state.withLock({ $0.entries[key] }) else { return nil }
    let path = Self.path(of: key, in: folder)
    do throws(PrefixFile.Failure) {
      let block = try PrefixFile.load(path, key, byteCount: byteCount)
      let time = state.withLock { state in
        state.statistics.readBlocks += 1
        return Self.noteUse(of: key, place: place, at: Self.use(&state), &state)
      }
      if let time { PrefixFile.setLastUse(of: path, to: time) }
      return block
    } catch {
      if error == .damaged {
        unlink(path)
        onEvent(.damaged(path: path))
      }
      state.withLock { state in
        if error == .damaged { state.statistics.damagedBlocks += 1 }
        // It may have been written anew meanwhile.
        if state.entries[key]?.lastUse == entry.lastUse { Self.forget(key, &state) }
      }
      return nil
    }
  }

  /// Writes the blocks of a prompt that are not there yet, in the background; those that are count as used.
  func keep(_ blocks: [(key: PrefixKey, block: Storage)]) {
    let (added, used) = state.withLock { state in
      noticeClearing(&state)
      let use = Self.use(&state), isPaused = state.isPaused
      var added: [(key: PrefixKey, block: Storage, time: Int)] = [], used: [(key: PrefixKey, time: Int)] = []
      for (place, (key, block)) in blocks.enumerated() {
        if let time = Self.noteUse(of: key, place: place, at: use, &state) {
          used.append((key, time))
        } else if !isPaused, state.pendingBytes + block.byteCount <= Self.largestBacklog, state.pending.insert(key).inserted {
          state.pendingBytes += block.byteCount
          added.append((key, block, use - place))
        }
      }
      return (added, used)
    }
    writing.async { [self] in
      for (key, time) in used { PrefixFile.setLastUse(of: Self.path(of: key, in: folder), to: time) }
      for (key, block, time) in added { write(key, block, time) }
    }
  }

  /// Waits until all that was to be kept is written.
  public func flush() { writing.sync {} }

  private enum WriteResult {
    case written
    /// It was not tried, since another failed a moment ago.
    case paused
    case failed(reason: String)
  }

  private func write(_ key: PrefixKey, _ block: Storage, _ time: Int) {
    let path = Self.path(of: key, in: folder), size = PrefixFile.headerBytes + block.byteCount
    let result: WriteResult
    // Only this queue begins a pause.
    if state.withLock({ $0.isPaused }) {
      result = .paused
    } else if let reason = makeRoom(for: size)
      ?? PrefixFile.save(path, partial: path + Self.partialSuffix, key, block, lastUse: time)
    {
      result = .failed(reason: reason)
    } else {
      result = .written
    }
    state.withLock { state in
      state.pending.remove(key)
      state.pendingBytes -= block.byteCount
      switch result {
      case .written:
        // It may have been found in the folder already.
        Self.forget(key, &state)
        state.entries[key] = Entry(byteCount: size, lastUse: time)
        state.statistics.byteCount += size
        state.statistics.blockCount += 1
        state.statistics.writtenBlocks += 1
      case .paused: break
      case .failed: state.pausedUntil = .now.advanced(by: Self.pause)
      }
    }
    if case .failed(let reason) = result { onEvent(.notKept(reason: reason)) }
  }

  /// Removes the files used longest ago until there is room for another, and a little more, so that this is seldom done. Only the writer
  /// calls it, so files are removed without the lock.
  /// - Returns: why there cannot be room, then nothing is removed; nil when there is.
  private func makeRoom(for size: Int) -> String? {
    guard size <= limit else { return "a block takes \(size) bytes, and --prefix-cache allows \(limit)" }
    guard let space = DiskSpace(folder) else { return "the disk of \(folder) cannot be examined" }
    let victims: [PrefixKey]? = state.withLock { state in
      guard size <= space.spare + state.statistics.byteCount else { return nil }
      var spare = space.spare, victims: [PrefixKey] = []
      func fits(_ margin: Int) -> Bool { state.statistics.byteCount + size + margin <= limit && size <= spare }
      if fits(0) { return [] }
      for (key, entry) in state.entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
        if fits(min(limit / 20, limit - size)) { break }
        Self.forget(key, &state)
        state.statistics.removedBlocks += 1
        spare += entry.byteCount
        victims.append(key)
      }
      return victims
    }
    guard let victims else { return size == 0 ? nil : "the disk of \(folder) is full" }
    for key in victims { unlink(Self.path(of: key, in: folder)) }
    return nil
  }

  private static func forget(_ key: PrefixKey, _ state: inout State) {
    guard let entry = state.entries.removeValue(forKey: key) else { return }
    state.statistics.byteCount -= entry.byteCount
    state.statistics.blockCount -= 1
  }

  /// The time of a use. Between two is room for the places of a prompt's blocks.
  private static func use(_ state: inout State) -> Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    state.latestUse = max(nanoseconds(now), state.latestUse + 10_000_000)
    return state.latestUse
  }

  /// Since 1970; times that no clock should show are as long ago as can be.
  private static func nanoseconds(_ time: timespec) -> Int {
    (0..<7_000_000_000).contains(time.tv_sec) ? time.tv_sec * 1_000_000_000 + time.tv_nsec : 0
  }

  /// A prompt's later blocks are of no use without the earlier ones, so they count as used before them.
  /// - Returns: the time that counts; nil for a block that is not there.
  private static func noteUse(of key: PrefixKey, place: Int, at use: Int, _ state: inout State) -> Int? {
    guard state.entries[key] != nil else { return nil }
    state.entries[key]?.lastUse = use - place
    return use - place
  }
}

/// Why a folder cannot keep prefixes.
public enum PrefixStoreError: Error, Sendable, Equatable, CustomStringConvertible {
  case cannotBeUsed(folder: String, reason: String)
  /// Another process has it.
  case inUse(folder: String)

  public var description: String {
    switch self {
    case .cannotBeUsed(let folder, let reason): "the folder \(folder) cannot keep prompts' beginnings: \(reason)"
    case .inUse(let folder):
      "another process keeps prompts' beginnings in \(folder); stop it, or give this one another folder with --data"
    }
  }
}

/// What stands for a prompt up to the end of a block.
struct PrefixKey: Hashable, Sendable {
  /// 64 hexadecimal digits.
  let name: String

  /// - Returns: nil for what no key is called.
  init?(name: String) {
    guard name.utf8.count == 64, name.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
    self.name = name
  }

  /// A prompt's beginning of no tokens.
  /// - Parameters:
  ///   - model: all that decides what positions hold.
  ///   - tenant: nil where all share.
  init(model: String, tenant: Int?) {
    name = Self.hash(Array("\(tenant.map(String.init) ?? "all")\n\(model)".utf8))
  }

  /// The same prompt up to the end of the next block.
  func next(_ tokens: ArraySlice<Int32>) -> PrefixKey {
    var bytes = Array(name.utf8)
    for token in tokens { withUnsafeBytes(of: token.littleEndian) { bytes.append(contentsOf: $0) } }
    return PrefixKey(digest: Self.hash(bytes))
  }

  private init(digest: String) { name = digest }

  private static func hash(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: SHA256.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

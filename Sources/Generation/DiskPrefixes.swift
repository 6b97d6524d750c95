internal import Foundation
internal import SwiftletModels
internal import SwiftletTensors

/// What an engine does with a store of prefixes.
struct DiskPrefixes: Sendable {
  let store: PrefixStore
  /// All that decides what positions hold: the model, the kernels, and this program, whose arithmetic another version may change.
  private let model: String
  private let sharesPrefixes: Bool
  /// Blocks read between two tokens of the answers in progress.
  private static let blocksAtOnce = 8

  init(_ store: PrefixStore, model: String, kernels: Kernels, sharesPrefixes: Bool) {
    self.store = store
    self.model = [Self.program, kernels.name, kernels.hasFastPrompts ? "fast" : "", model].joined(separator: "\n")
    self.sharesPrefixes = sharesPrefixes
  }

  /// The file that runs, by size and time.
  private static let program: String = {
    var status = stat()
    guard let path = Bundle.main.executablePath, stat(path, &status) == 0 else { return UUID().uuidString }
    #if canImport(Darwin)
    let time = status.st_mtimespec
    #else
    let time = status.st_mtim
    #endif
    return "\(status.st_size) \(time.tv_sec).\(time.tv_nsec)"
  }()

  /// What the blocks that tokens fill are called.
  func keys(of tokens: ArraySlice<Int32>, tenant: Int) -> [PrefixKey] {
    let length = KeyValueCache.blockLength
    var key = PrefixKey(model: model, tenant: sharesPrefixes ? nil : tenant)
    return stride(from: tokens.startIndex, to: tokens.endIndex - length + 1, by: length).map { start in
      key = key.next(tokens[start..<start + length])
      return key
    }
  }

  /// A cache that goes on with some of the prompt's next blocks.
  /// - Parameter keys: of the blocks that may be taken.
  /// - Returns: nil when the next block is not there.
  func extended(_ cache: KeyValueCache, _ keys: [PrefixKey]) -> KeyValueCache? {
    let first = cache.count / KeyValueCache.blockLength
    var extended: KeyValueCache?
    for place in first..<max(first, min(keys.count, first + Self.blocksAtOnce)) {
      guard let block = store.read(keys[place], place: place, byteCount: cache.blockBytes) else { break }
      let result = extended ?? cache.copy(of: first * KeyValueCache.blockLength)
      result.append(wholeBlock: block)
      extended = result
    }
    return extended
  }

  /// Keeps the blocks that a cache's first positions fill.
  func keep(_ cache: KeyValueCache, tokens: ArraySlice<Int32>, tenant: Int) {
    let blocks = zip(keys(of: tokens, tenant: tenant), cache.wholeBlocks(of: tokens.count)).map { (key: $0, block: $1) }
    if !blocks.isEmpty { store.keep(blocks) }
  }
}

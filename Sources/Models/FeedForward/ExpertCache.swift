internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletTensors
internal import Synchronization

/// The routed experts of a layer.
struct ExpertWeights: Sendable {
  /// For each expert `[expert size, hidden]`.
  var gate: [Tensor] = []
  var up: [Tensor] = []
  /// For each expert `[hidden, expert size]`.
  var down: [Tensor] = []

  var count: Int { gate.count }

  subscript(experts: [Int]) -> ExpertWeights {
    ExpertWeights(gate: experts.map { gate[$0] }, up: experts.map { up[$0] }, down: experts.map { down[$0] })
  }

  mutating func append(_ expert: [Tensor]) {
    gate.append(expert[0])
    up.append(expert[1])
    down.append(expert[2])
  }
}

/// Experts of all layers that are in memory, copies of what the mapped file has, up to a number of bytes. Others are read when they
/// are chosen, and take the place of those that were used longest ago.
final class ExpertCache: Sendable {
  /// Several at once keep a disk busy.
  private static let readerCount = 4, mostExpertsRead = 8

  let byteLimit: Int
  /// Held by whoever computes, so that nothing in use is overwritten.
  private let state = Mutex(State())
  private let reader = ExpertReader(threadCount: readerCount)

  /// - Parameter byteLimit: one expert is held at least.
  init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Tells of the experts of a layer; nothing is read yet.
  /// - Returns: the number by which the layer is known here.
  func add(_ layer: ExpertWeights) -> Int {
    state.withLock { state in
      for tensor in layer.gate + layer.up + layer.down where state.files[ObjectIdentifier(tensor.storage)] == nil {
        state.files[ObjectIdentifier(tensor.storage)] = .some(DirectFile(of: tensor.storage))
      }
      state.layers.append((layer, state.held.count))
      state.held += Array(repeating: nil, count: layer.count)
      return state.layers.count - 1
    }
  }

  /// Bytes of the experts in memory.
  var heldBytes: Int { state.withLock { $0.heldBytes } }

  /// Calls `compute` with bunches of experts and their weights until all have been there: first with those in memory, while others
  /// are read.
  /// - Parameters:
  ///   - experts: of one layer, without repetition.
  ///   - meanwhile: something else to do while the first are read; called once, before `compute`.
  func run(
    _ experts: [Int], ofLayer number: Int, meanwhile: () -> Void, compute: (_ experts: [Int], _ weights: ExpertWeights) -> Void
  ) {
    state.withLock { state in
      let (layer, first) = state.layers[number]
      // Where most experts are used, as in prompts, the pass comes back to the newest last of all; those used longest ago are next.
      let evictsNewest = experts.count * 2 > layer.count
      var ready = experts.filter { state.held[first + $0] != nil }
      var waiting = experts.filter { state.held[first + $0] == nil }[...]
      var reading = Set<Int>()
      var didOthers = false
      while !(ready.isEmpty && waiting.isEmpty && reading.isEmpty) {
        while let next = waiting.first, reading.count < Self.mostExpertsRead,
          let reads = state.makeRoom(
            for: next, ofLayer: number, within: byteLimit, sparing: Set((ready + reading).map { first + $0 }),
            newestFirst: evictsNewest)
        {
          waiting.removeFirst()
          reading.insert(next)
          reader.start(reads)
        }
        if !didOthers { meanwhile() }
        didOthers = true
        if ready.isEmpty {
          ready = reader.takeFinished().sorted()
          reading.subtract(ready)
          // More can be started before these are computed.
          continue
        }
        compute(ready, state.use(ready, first: first))
        ready = []
      }
    }
  }

  private struct State {
    struct Held {
      let storage: Storage
      /// Gate, up, down.
      let weights: [Tensor]
      var lastUse: Int
    }

    /// Each layer's experts in the file, and where they stand in `held`.
    var layers: [(weights: ExpertWeights, first: Int)] = []
    /// nil for files that cannot be read directly.
    var files: [ObjectIdentifier: DirectFile?] = [:]
    var held: [Held?] = []
    var heldBytes = 0
    private var time = 0

    /// Evicts until there is room for an expert and says what to read.
    /// - Parameter spared: places in `held` that must stay.
    /// - Returns: nil when there is no room beside what must stay.
    mutating func makeRoom(
      for expert: Int, ofLayer number: Int, within limit: Int, sparing spared: Set<Int>, newestFirst: Bool
    ) -> [ExpertReader.Read]? {
      let layer = layers[number], tensors = [layer.weights.gate[expert], layer.weights.up[expert], layer.weights.down[expert]]
      let size = tensors.reduce(0) { $0 + ExpertReader.Read.pages(of: $1).count }
      var storage: Storage?
      while storage == nil, heldBytes + size > limit {
        guard let victim = victim(sparing: spared, newestFirst: newestFirst) else {
          if heldBytes > 0 { return nil }
          break
        }
        if let freed = held[victim]?.storage {
          heldBytes -= freed.byteCount
          if freed.byteCount == size, heldBytes + size <= limit { storage = freed }
        }
        held[victim] = nil
      }
      let target = storage ?? Storage.pages(byteCount: size) ?? Storage(byteCount: size)
      var offset = 0
      let reads = tensors.map { tensor in
        defer { offset += ExpertReader.Read.pages(of: tensor).count }
        return ExpertReader.Read(
          expert: expert, source: tensor, file: files[ObjectIdentifier(tensor.storage)] ?? nil, target: target,
          targetOffset: offset)
      }
      held[layer.first + expert] = Held(storage: target, weights: reads.map(\.result), lastUse: time)
      heldBytes += size
      return reads
    }

    private func victim(sparing spared: Set<Int>, newestFirst: Bool) -> Int? {
      var best: (index: Int, lastUse: Int)?
      for index in held.indices {
        guard let lastUse = held[index]?.lastUse, !spared.contains(index) else { continue }
        if best.map({ newestFirst ? lastUse > $0.lastUse : lastUse < $0.lastUse }) ?? true { best = (index, lastUse) }
      }
      return best?.index
    }

    /// The weights of experts in memory, which count as used now.
    mutating func use(_ experts: [Int], first: Int) -> ExpertWeights {
      time += 1
      var result = ExpertWeights()
      for expert in experts {
        held[first + expert]?.lastUse = time
        if let weights = held[first + expert]?.weights { result.append(weights) }
      }
      return result
    }
  }
}

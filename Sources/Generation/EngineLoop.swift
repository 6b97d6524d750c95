internal import SwiftletCheckpoints
internal import SwiftletModels
internal import SwiftletTensors
internal import SwiftletTokenization
internal import Synchronization

/// The engine's thread: admits requests, computes prompts in chunks and answers in batches, until it is stopped.
final class EngineLoop {
  /// Prompt tokens computed between two tokens of the answers in progress.
  private static let promptChunk = 512
  /// Rows of a pass over answers in progress, from which on nothing is guessed any more: each has logits of the whole vocabulary. Of
  /// prompts that are scored, whose rows have them too, the most in a chunk.
  static let decodedRows = 64
  /// Positions of a kept cache that are given up rather than copied around.
  private static let lossWorthNoCopy = 64
  /// Finished sequences whose caches are kept for requests that begin alike.
  private static let keptCaches = 16
  /// Of the memory that caches may take, what those that are only kept may: a part of it.
  private static let keptShare = 4

  private let decoder: Decoder
  private let tokenizer: Tokenizer?
  private let endTokens: Set<Int32>
  private let contextLength: Int
  private let limits: EngineLimits
  private let compute: Compute
  private let inbox: Inbox
  private let counters: EngineCounters
  private let prefixes: DiskPrefixes?
  private let distinguishesRoles: Bool
  private var waiting: [Submission] = []
  private var active: [(submission: Submission, sequence: ActiveSequence)] = []
  /// Caches of finished requests, the oldest first, with the tokens whose positions may be used again; the first `promptCount` of
  /// them were the prompt.
  private var kept: [(tenant: Int, tokens: [Int32], promptCount: Int, cache: KeyValueCache)] = []
  /// Requests admitted so far, and which of them was each tenant's last.
  private var admissionCount = 0
  private var lastAdmissions: [Int: Int] = [:]
  /// Chunks of prompts computed so far.
  private var chunkCount = 0

  init(
    decoder: Decoder, tokenizer: Tokenizer?, endTokens: Set<Int32>, contextLength: Int, limits: EngineLimits,
    compute: Compute, inbox: Inbox, counters: EngineCounters, prefixes: DiskPrefixes?
  ) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.endTokens = endTokens
    self.contextLength = contextLength
    self.limits = limits
    self.compute = compute
    self.inbox = inbox
    self.counters = counters
    self.prefixes = prefixes
    distinguishesRoles = decoder.distinguishesRoles(compute.kernels)
  }

  func run() {
    while let submissions = inbox.take(sleeping: active.isEmpty && waiting.isEmpty) {
      waiting += submissions
      for (submission, sequence) in active where submission.isCancelled.load(ordering: .relaxed) { sequence.cancel() }
      retire()
      dropCancelled()
      while active.count < limits.maximumSequences, let next = nextWaiting, makesRoom(for: waiting[next]) {
        admit(waiting.remove(at: next))
      }
      noteLoad()
      advancePrompts()
      decodeStep()
      retire()
      noteLoad()
    }
    for submission in waiting + active.map(\.submission) + inbox.drain() {
      submission.events.finish(throwing: GenerationError.engineStopped)
    }
  }

  /// The first request of the tenant that has the fewest in progress, of several tenants the one that was admitted longest ago. A
  /// request that finds no room is waited for, so that a large one is not overtaken for ever.
  private var nextWaiting: Int? {
    if waiting.count < 2 { return waiting.indices.first }
    var counts: [Int: Int] = [:]
    for (submission, _) in active { counts[submission.request.tenant, default: 0] += 1 }
    return waiting.indices.min { a, b in
      let first = waiting[a].request.tenant, second = waiting[b].request.tenant
      return (counts[first] ?? 0, lastAdmissions[first] ?? 0, a) < (counts[second] ?? 0, lastAdmissions[second] ?? 0, b)
    }
  }

  /// Ends waiting requests that nobody waits for any more.
  private func dropCancelled() {
    waiting.removeAll { submission in
      guard submission.isCancelled.load(ordering: .relaxed) else { return false }
      submission.events.finish()
      counters.dequeue(isActive: false)
      return true
    }
  }

  private var reservedBytes: Int { active.reduce(0) { $0 + $1.submission.cacheBytes } }
  private var keptBytes: Int { kept.reduce(0) { $0 + decoder.cacheBytes(positions: $1.cache.count) } }

  private func noteLoad() { counters.set(active: active.count, reserved: reservedBytes, kept: keptBytes) }

  /// Whether a request's cache fits beside those of the active ones. Kept caches give way, the oldest first.
  private func makesRoom(for submission: Submission) -> Bool {
    guard let allowed = limits.cacheBytes else { return true }
    let needed = reservedBytes + submission.cacheBytes
    guard needed <= allowed else { return false }
    while !kept.isEmpty, needed + keptBytes > allowed { kept.removeFirst() }
    return true
  }

  private func admit(_ submission: Submission) {
    counters.dequeue(isActive: true)
    admissionCount += 1
    lastAdmissions[submission.request.tenant] = admissionCount
    let cache = takeCache(for: submission.request)
    var drafting = submission.request.options.drafting
    if drafting == .automatic { drafting = decoder.predictsFurtherTokens ? .multiTokenPrediction : .none }
    let sequence = ActiveSequence(
      submission.request, constraint: submission.constraint, cache: cache, tokenizer: tokenizer, ends: endTokens,
      drafting: drafting, events: submission.events)
    // Behind those that wait for their next chunk already.
    sequence.lastChunk = chunkCount
    active.append((submission, sequence))
  }

  /// A cache that holds as much of the prompt's beginning as any kept one. The last prompt token is always computed, since its
  /// logits are needed. A kept cache that the prompt goes on from is taken over; one that it departs from stays for the conversation
  /// it belongs to, and the beginning is shared.
  private func takeCache(for request: GenerationRequest) -> KeyValueCache {
    let prompt = request.prompt
    let common = kept.map { kept in
      maySee(kept.tenant, request) ? min(Self.commonCount(kept.tokens[...], prompt), prompt.count - 1) : 0
    }
    guard !request.options.scoresPrompt, let best = common.indices.max(by: { common[$0] < common[$1] }), common[best] > 0 else {
      return decoder.makeCache(capacity: contextLength)
    }
    // The next prompt of a conversation departs near the end of the last one: it lacks the thought, perhaps its opening too.
    let isContinued = common[best] >= min(kept[best].tokens.count, kept[best].promptCount) - Self.lossWorthNoCopy
    guard isContinued else { return kept[best].cache.copy(of: common[best]) }
    let cache = kept.remove(at: best).cache
    cache.truncate(to: common[best])
    return cache
  }

  /// How many tokens two sequences begin with alike.
  private static func commonCount(_ a: ArraySlice<Int32>, _ b: [Int32]) -> Int {
    let limit = min(a.count, b.count)
    return (0..<limit).first { a[a.startIndex + $0] != b[$0] } ?? limit
  }

  private func maySee(_ tenant: Int, _ request: GenerationRequest) -> Bool {
    limits.sharesPrefixes || tenant == request.tenant
  }

  /// Lets a prompt go on from what was computed meanwhile for another in progress: of several answers to one prompt, each chunk is
  /// computed once.
  private func sharePrefix(with sequence: ActiveSequence) {
    if sequence.scoresPrompt { return }
    let prompt = sequence.request.prompt
    var best = sequence.cache.count + KeyValueBlocks.blockLength - 1, source: KeyValueCache?
    for (_, other) in active where other !== sequence && !other.isBroken && maySee(other.request.tenant, sequence.request) {
      let usable = min(other.cache.count, distinguishesRoles ? other.request.prompt.count : .max)
      guard min(usable, prompt.count - 1) > best else { continue }
      let common = min(Self.commonCount(other.tokens.prefix(usable), prompt), prompt.count - 1)
      if common > best { (best, source) = (common, other.cache) }
    }
    if let source { sequence.adopt(source.copy(of: best)) }
  }

  /// Lets a prompt go on from blocks on disk.
  /// - Returns: whether there were any.
  private func readPrefix(of sequence: ActiveSequence) -> Bool {
    guard let prefixes, !sequence.scoresPrompt else { return false }
    // The last prompt token is computed in any case.
    let prompt = sequence.request.prompt.dropLast()
    let keys = sequence.prefixKeys ?? prefixes.keys(of: prompt, tenant: sequence.request.tenant)
    sequence.prefixKeys = keys
    guard let cache = prefixes.extended(sequence.cache, keys) else { return false }
    sequence.adopt(cache)
    return true
  }

  /// Whether a prompt begins as one that is about to be computed does, so that it can go on from there afterwards.
  private func begins(_ sequence: ActiveSequence, like other: ActiveSequence) -> Bool {
    let least = sequence.cache.count + KeyValueBlocks.blockLength
    return maySee(other.request.tenant, sequence.request) && !sequence.scoresPrompt && least < sequence.request.prompt.count
      && sequence.request.prompt.prefix(least) == other.request.prompt.prefix(least)
  }

  /// The next chunk of a prompt, found or computed. Prompts take turns: the one whose last chunk is longest ago is next, and the rest
  /// of others comes along where it finds room in the chunk.
  private func advancePrompts() {
    var room = Self.promptChunk, scored = Self.decodedRows, inputs: [Decoder.Input] = []
    var computed: [(sequence: ActiveSequence, rows: Range<Int>, start: Int)] = []
    let pending = active.map(\.sequence).filter { !$0.pendingPrompt.isEmpty }
    for sequence in pending.sorted(by: { $0.lastChunk < $1.lastChunk }) where room > 0 {
      if sequence.scoresPrompt, scored == 0 { continue }
      sharePrefix(with: sequence)
      let isFirst = room == Self.promptChunk
      if !isFirst, sequence.pendingPrompt.count > room || computed.contains(where: { begins(sequence, like: $0.sequence) }) {
        continue
      }
      sequence.noteStart()
      chunkCount += 1
      sequence.lastChunk = chunkCount
      let start = sequence.cache.count
      if readPrefix(of: sequence) {
        room -= sequence.cache.count - start
        continue
      }
      let chunk = sequence.pendingPrompt.prefix(sequence.scoresPrompt ? min(room, scored) : room)
      let isLast = chunk.count == sequence.pendingPrompt.count
      if sequence.scoresPrompt { scored -= chunk.count }
      inputs.append(
        .init(
          tokens: chunk.map(Int.init), cache: sequence.cache, output: sequence.scoresPrompt ? .all : isLast ? .last : .none))
      let first = computed.last?.rows.upperBound ?? 0
      computed.append((sequence, first..<first + chunk.count, start))
      room -= chunk.count
    }
    if inputs.isEmpty { return }
    let keepsHidden = computed.contains { $0.sequence.wantsPrediction }
    guard let result = forward(inputs, keepingHidden: keepsHidden, role: .prompt) else { return }
    var output = 0
    for (sequence, rows, start) in computed {
      if sequence.scoresPrompt {
        sequence.score(
          rows: rows.count, from: start, logits: { row(output + $0, of: result.logits) }, kernels: compute.kernels)
        output += rows.count - 1
      } else if !sequence.pendingPrompt.isEmpty {
        continue
      }
      if sequence.pendingPrompt.isEmpty { sequence.advance(logits: row(output, of: result.logits), kernels: compute.kernels) }
      output += 1
    }
    predict(computed, hidden: result.hidden, role: .prompt)
  }

  /// One token for every answer in progress, and one more for each guess that was right.
  private func decodeStep() {
    let decoding = active.map(\.sequence).filter { !$0.isFinished && $0.pendingPrompt.isEmpty }
    if decoding.isEmpty { return }
    let passStart = ContinuousClock.now
    let share = max(0, Self.decodedRows / decoding.count - 1)
    let guesses = decoding.map { $0.draft(atMost: share) }
    let inputs = zip(decoding, guesses).map { sequence, guesses in
      Decoder.Input(tokens: (sequence.tokens.suffix(1) + guesses).map(Int.init), cache: sequence.cache, output: .all)
    }
    let keepsHidden = decoding.contains { $0.wantsPrediction }
    guard let result = forward(inputs, keepingHidden: keepsHidden, role: .generated) else { return }
    var first = 0
    var computed: [(sequence: ActiveSequence, rows: Range<Int>, start: Int)] = []
    for (sequence, guesses) in zip(decoding, guesses) {
      let start = sequence.tokens.count - 1
      sequence.advance(guesses: guesses, logits: { row(first + $0, of: result.logits) }, kernels: compute.kernels)
      computed.append((sequence, first..<first + sequence.cache.count - start, start))
      first += 1 + guesses.count
    }
    let plainSeconds = ContinuousClock.now.secondsSince(passStart)
    predict(computed, hidden: result.hidden, role: .generated)
    let seconds = ContinuousClock.now.secondsSince(passStart)
    for sequence in decoding { sequence.endPass(seconds: seconds, withoutPrediction: plainSeconds) }
  }

  /// Asks the decoder's prediction layer about positions that were just computed, for the sequences that want it.
  private func predict(
    _ computed: [(sequence: ActiveSequence, rows: Range<Int>, start: Int)], hidden: Tensor, role: PositionRole
  ) {
    let wanted = computed.filter { $0.sequence.wantsPrediction && !$0.rows.isEmpty }
    let inputs = wanted.map { sequence, rows, start in
      Decoder.PredictionInput(
        rows: rows, nextTokens: sequence.tokens[start + 1..<start + 1 + rows.count].map(Int.init), cache: sequence.cache,
        startPosition: start)
    }
    guard let logits = decoder.predict(inputs, hidden: hidden, role: role, compute: compute) else { return }
    for (index, (sequence, _, _)) in wanted.enumerated() {
      let best = compute.kernels.argmax(UnsafeBufferPointer(row(index, of: logits)))
      sequence.predict(Int32(best))
    }
  }

  /// Computes a pass; nil when a file of weights was cut or written to, and nothing that was computed may be used any more.
  private func forward(
    _ inputs: [Decoder.Input], keepingHidden: Bool, role: PositionRole
  ) -> (logits: Tensor, hidden: Tensor)? {
    let result = decoder.forward(inputs, keepingHidden: keepingHidden, role: role, compute: compute)
    do throws(CheckpointError) {
      try decoder.checkWeights()
      return result
    } catch {
      for (_, sequence) in active where !sequence.isFinished { sequence.fail(error) }
      kept = []
      return nil
    }
  }

  private func row(_ index: Int, of logits: Tensor) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: logits.floats + index * logits.shape.columns, count: logits.shape.columns)
  }

  /// Takes finished sequences out and keeps their caches. Where the arithmetic of a position depends on its role, only the prompt's
  /// positions may serve another prompt.
  private func retire() {
    for (_, sequence) in active where sequence.isFinished && !sequence.isBroken {
      let reusable = distinguishesRoles ? sequence.request.prompt.count : sequence.cache.count
      let count = min(reusable, sequence.cache.count)
      if count == 0 { continue }
      sequence.cache.truncate(to: count)
      prefixes?.keep(sequence.cache, tokens: sequence.tokens.prefix(count), tenant: sequence.request.tenant)
      kept.append(
        (sequence.request.tenant, Array(sequence.tokens.prefix(count)), sequence.request.prompt.count, sequence.cache))
    }
    let allowed = limits.cacheBytes.map { $0 / Self.keptShare } ?? .max
    while kept.count > Self.keptCaches || kept.count > 1 && keptBytes > allowed { kept.removeFirst() }
    active.removeAll { $0.sequence.isFinished }
  }
}

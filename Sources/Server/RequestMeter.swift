internal import Foundation
internal import Swiftlet
internal import SwiftletGeneration
internal import Synchronization

/// Counts what a request's answers take as the engine makes them, whoever reads them, and has it written down: now and then, so that
/// little is lost when the process is killed, and before the end of the answer is sent.
final class RequestMeter: Sendable {
  /// Between two entries of an answer in progress.
  private static let interval = Duration.seconds(1)

  private struct State {
    var entry: UsageEntry
    var lastWrite = ContinuousClock.now
    var isClosed = false
  }

  private let state: Mutex<State>
  private let isOfKey: Bool
  private let prices: Prices?
  /// Whether a choice is the first answer to its prompt, with which the prompt is counted.
  private let countsPrompt: [Bool]
  private let admission: RateLimiter.Admission?
  private let ledger: Ledger
  private let alarm: ExtractionAlarm

  init(
    entry: UsageEntry, requests: [GenerationRequest], prices: Prices?, admission: RateLimiter.Admission?, ledger: Ledger,
    alarm: ExtractionAlarm
  ) {
    state = Mutex(State(entry: entry))
    isOfKey = entry.key != nil
    self.prices = prices
    countsPrompt = requests.map { $0.options.sampleIndex == 0 }
    self.admission = admission
    self.ledger = ledger
    self.alarm = alarm
  }

  /// Counts an event of the engine.
  func note(_ event: GenerationEvent, choice: Int) {
    state.withLock { state in
      guard !state.isClosed else { return }
      let now = ContinuousClock.now
      var isDue = false
      switch event {
      case .promptDone(let tokens, let cached, _):
        guard countsPrompt[choice] else { return }
        state.entry.usage.promptTokens += tokens
        state.entry.usage.donePromptTokens += tokens
        state.entry.usage.cachedTokens += cached
        isDue = true
      case .token(let token):
        state.entry.usage.completionTokens += 1
        if token.isReasoning { state.entry.usage.reasoningTokens += 1 }
        admission?.countToken()
        isDue = state.lastWrite.duration(to: now) >= Self.interval
      case .promptScored, .finished: return
      }
      guard isDue else { return }
      state.lastWrite = now
      // Under the lock, so that entries are written in the order of their making.
      ledger.add(charged(state.entry))
    }
  }

  /// Why a key's answer cannot go on: what it takes cannot be written down.
  var failure: APIError? {
    guard isOfKey else { return nil }
    return ledger.failure.map { APIError($0) }
  }

  private func charged(_ entry: UsageEntry) -> UsageEntry {
    var entry = entry
    if let prices { entry.charge = prices.charge(entry.usage) }
    return entry
  }

  /// Counts no more, and returns when all is written.
  /// - Throws: `APIError` when it cannot be written.
  func close(_ outcome: String) async throws(APIError) {
    let entry: UsageEntry? = state.withLock { state in
      guard !state.isClosed else { return nil }
      state.isClosed = true
      state.entry.outcome = outcome
      return charged(state.entry)
    }
    guard let entry else { return }
    // Before the client has the end of its answer, so that its next request finds room.
    defer { admission?.end() }
    if let key = entry.key { await alarm.count(key: key, tokens: entry.usage.completionTokens) }
    do {
      try await ledger.write(entry)
    } catch {
      // Nobody is charged for what the owner of this machine computes.
      guard entry.key != nil else { return }
      throw APIError(error)
    }
  }
}

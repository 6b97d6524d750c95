internal import SwiftletGeneration

/// Collects the events of a request's answers, one or several at once, and what else matters while they are made.
struct AnswerRun: Sendable {
  enum Signal: Sendable {
    case event(choice: Int, GenerationEvent)
    /// An answer ends by a rule of the policy.
    case denied(choice: Int, Policy.Rule)
    /// Time has passed: a client that was sent nothing meanwhile wants a sign of life.
    case tick
    /// The server stops and waits no longer. Nothing comes after it.
    case cut
  }

  /// The client went away: nobody reads the answer.
  struct ClientGone: Error {}

  let streams: [GenerationStream]
  let meter: RequestMeter
  /// What the answers may not contain.
  let rules: [Policy.Rule]
  let client: Flag
  let cut: Flag
  let idleInterval: Duration
  let metrics: Metrics
  /// Told of every answer that a rule ended.
  let onDenial: @Sendable (Policy.Rule) async -> Void
  /// When the request came.
  let start: ContinuousClock.Instant
  let executor: EventLoopExecutor

  private enum Input: Sendable {
    case output(choice: Int, PolicyFilter.Output)
    case ended
    case failed(any Error)
    case tick
    case cut
    case left
  }

  /// Calls `body` for every signal, in order, until all answers have ended. When it returns or throws, the answers end at the
  /// next token. What they used is written before the last signal.
  /// - Throws: `ClientGone`, what the engine throws, what `body` throws; `APIError` when what was used cannot be written.
  func forEach(_ body: (Signal) async throws -> Void) async throws {
    do {
      try await withTaskExecutorPreference(executor) { try await signals(body) }
    } catch {
      try? await meter.close(error is ClientGone ? "client_gone" : error is CancellationError ? "cancelled" : "error")
      throw error
    }
  }

  /// Collects the answers until all have ended.
  /// - Parameter idle: called now and then, since nothing is sent before the end.
  func collect(_ choices: inout [ChoiceState], idle: () -> Void) async throws {
    try await forEach { signal in
      switch signal {
      case .event(let choice, let event): choices[choice].add(event)
      case .denied(let choice, let rule): choices[choice].deny(by: rule)
      case .tick: idle()
      case .cut: for index in choices.indices { choices[index].cut() }
      }
    }
  }

  private func signals(_ body: (Signal) async throws -> Void) async throws {
    let (inputs, continuation) = AsyncStream.makeStream(of: Input.self)
    let leaving = client.observe { continuation.yield(.left) }
    let cutting = cut.observe { continuation.yield(.cut) }
    defer {
      client.remove(leaving)
      cut.remove(cutting)
    }
    let streams = streams, idleInterval = idleInterval, meter = meter, rules = rules
    try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      for (choice, stream) in streams.enumerated() {
        group.addTask {
          do {
            var filter = PolicyFilter(rules)
            reading: for try await event in stream {
              meter.note(event, choice: choice)
              for output in filter.add(event) {
                continuation.yield(.output(choice: choice, output))
                if case .denied = output { break reading }
              }
            }
            continuation.yield(.ended)
          } catch {
            continuation.yield(.failed(error))
          }
        }
      }
      group.addTask {
        while !Task.isCancelled {
          // Who has sent something since the last tick waits for the next one.
          try await Task.sleep(for: idleInterval / 2)
          continuation.yield(.tick)
        }
      }
      var open = streams.count, unfinished = streams.count
      var lastToken = [ContinuousClock.Instant?](repeating: nil, count: streams.count)
      for await input in inputs {
        switch input {
        case .output(let choice, .event(let event)):
          if case .token = event { note(&lastToken[choice]) }
          if let failure = meter.failure { throw failure }
          if case .finished(let summary) = event {
            unfinished -= 1
            if unfinished == 0 { try await meter.close(summary.finishReason.rawValue) }
          }
          try await body(.event(choice: choice, event))
        case .output(let choice, .denied(let rule)):
          unfinished -= 1
          if unfinished == 0 { try await meter.close("content_filter") }
          await onDenial(rule)
          try await body(.denied(choice: choice, rule))
        case .ended: open -= 1
        case .failed(let error): throw error
        case .tick: try await body(.tick)
        case .cut:
          try await meter.close("cut")
          try await body(.cut)
          return
        case .left: throw ClientGone()
        }
        if open == 0 { return }
      }
      throw CancellationError()
    }
  }

  private func note(_ last: inout ContinuousClock.Instant?) {
    let now = ContinuousClock.now
    if let last {
      metrics.observe(.tokenGap, last.duration(to: now) / .seconds(1))
    } else {
      metrics.observe(.firstToken, start.duration(to: now) / .seconds(1))
    }
    last = now
  }
}

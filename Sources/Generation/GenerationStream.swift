internal import Synchronization

/// The events of a request, in order. It keeps the engine alive. Leaving the loop over it, or cancelling the task, ends the request
/// at the next token; a cancelled task's loop ends without an error and without `finished`.
public struct GenerationStream: AsyncSequence, Sendable {
  public typealias Element = GenerationEvent

  let engine: Engine
  let submission: Submission
  let events: AsyncThrowingStream<GenerationEvent, any Error>

  public func makeAsyncIterator() -> Iterator { Iterator(base: events.makeAsyncIterator(), lease: Lease(stream: self)) }

  public struct Iterator: AsyncIteratorProtocol {
    var base: AsyncThrowingStream<GenerationEvent, any Error>.Iterator
    let lease: Lease

    public mutating func next() async throws -> GenerationEvent? {
      defer { withExtendedLifetime(lease) {} }
      return try await base.next()
    }
  }

  /// Ends the request when the iterator goes, even where the stream itself is kept in a variable.
  final class Lease: Sendable {
    private let stream: GenerationStream

    init(stream: GenerationStream) { self.stream = stream }

    deinit { stream.submission.isCancelled.store(true, ordering: .relaxed) }
  }
}

internal import Dispatch
internal import Synchronization

/// Asynchronous work for a caller that waits for it, as training does, which is one long piece of work on one thread.
enum Blocking {
  /// Runs what a task has to do on a thread of its own: where all of Swift's threads wait, as one processor's only one, nothing else would.
  private final class QueueExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "swiftlet.rollouts")

    func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
  }

  private static let executor = QueueExecutor()

  /// - Parameter isCancelled: asked now and then; when it says so, the work's task is cancelled.
  static func wait<Value: Sendable>(
    isCancelled: () -> Bool, _ body: @escaping @Sendable () async throws -> Value
  ) throws -> Value {
    let box = Box<Value>(), done = DispatchSemaphore(value: 0)
    let task = Task(executorPreference: executor) {
      let value: Result<Value, any Error>
      do { value = .success(try await body()) } catch { value = .failure(error) }
      box.result.withLock { $0 = value }
      done.signal()
    }
    while done.wait(timeout: .now() + .milliseconds(50)) == .timedOut {
      if isCancelled() { task.cancel() }
    }
    guard let value = box.result.withLock({ $0 }) else { preconditionFailure("the work is done") }
    return try value.get()
  }

  private final class Box<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
  }
}

internal import Dispatch
internal import Synchronization

/// Does what blocks, such as waiting for a program, without taking a thread of the tasks.
/// - Parameter work: is given what tells whether the task was cancelled, which it should ask now and then.
/// - Throws: what `work` throws; `CancellationError` when the task was cancelled, whatever came of the work.
func blockingWork<Value: Sendable>(
  _ work: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Value
) async throws -> Value {
  try Task.checkCancellation()
  let isCancelled = CancellationFlag()
  let result: Result<Value, any Error> = await withTaskCancellationHandler {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: Result { try work { isCancelled.value.load(ordering: .relaxed) } })
      }
    }
  } onCancel: {
    isCancelled.value.store(true, ordering: .relaxed)
  }
  try Task.checkCancellation()
  return try result.get()
}

private final class CancellationFlag: Sendable {
  let value = Atomic<Bool>(false)
}

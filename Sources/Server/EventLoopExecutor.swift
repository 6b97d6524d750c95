internal import NIOCore

/// Runs tasks on the thread of a connection.
///
/// Between a token and its bytes on the wire lie several tasks. On Swift's own threads each would wake another thread, while the
/// engine's keep all cores busy.
final class EventLoopExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

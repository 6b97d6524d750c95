import Foundation
import SwiftletTasks
import SwiftletTraining
import Synchronization

/// The line on standard error that tells how a teacher gets on: always the same one in a terminal, elsewhere one now and then.
final class DistillationProgress: Sendable {
  private struct State {
    var first: (time: ContinuousClock.Instant, answered: Int, tokens: Int)?
    var last: ContinuousClock.Instant?
    var isOpen = false
  }

  private let isGraded: Bool
  private let state = Mutex(State())

  init(isGraded: Bool) { self.isGraded = isGraded }

  func print(_ progress: AnswerProgress) {
    state.withLock { state in
      let now = ContinuousClock.now, isLast = progress.answered + progress.failed == progress.all
      let first = state.first ?? (now, progress.answered, progress.tokens)
      state.first = first
      let isDue = state.last.map { $0.duration(to: now) >= .seconds(Output.rewritesErrorLine ? 0.1 : 5) } ?? true
      guard isDue || isLast else { return }
      state.last = now
      let seconds = first.time.duration(to: now) / .seconds(1), done = progress.answered - first.answered
      var parts = ["\(progress.answered) of \(progress.all) answers"]
      if isGraded, progress.answered > 0 { parts.append("\(progress.right) right") }
      if progress.truncated > 0 { parts.append("\(progress.truncated) cut") }
      if progress.failed > 0 { parts.append("\(progress.failed) failed") }
      if done > 0, seconds > 0 {
        parts.append("\(Int((Double(progress.tokens - first.tokens) / seconds).rounded())) tokens/s")
        let left = progress.all - progress.answered - progress.failed
        if left > 0 { parts.append("\(RunReport.duration(seconds / Double(done) * Double(left))) left") }
      }
      let line = parts.joined(separator: "  ")
      guard Output.rewritesErrorLine else { return Output.note(line) }
      Output.rewriteErrorLine { _ in line }
      state.isOpen = true
    }
  }

  func finish() {
    state.withLock { state in
      if state.isOpen { Output.writeError("\n") }
      state.isOpen = false
    }
  }
}

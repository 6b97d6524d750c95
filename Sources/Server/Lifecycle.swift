/// Whether the server goes on, takes no more requests, or ends those that are left.
struct Lifecycle: Sendable {
  private let draining = Flag()
  /// Raised when requests in progress are not waited for any longer.
  let cut = Flag()

  var isDraining: Bool { draining.isRaised }

  /// Takes no more requests; those in progress have this long.
  func drain(for duration: Duration) {
    if draining.isRaised { return }
    draining.raise()
    let cut = cut
    Task {
      try? await Task.sleep(for: duration)
      cut.raise()
    }
  }
}

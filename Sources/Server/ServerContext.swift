internal import Foundation
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// What belongs to one request on its way through the server.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel
  let record: RequestRecord

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
    record = RequestRecord()
  }
}

/// What the log and the metrics tell of a request.
final class RequestRecord: Sendable {
  /// Unlike those of all other requests; part of the ids in answers.
  let id: String
  let start = ContinuousClock.now
  let time = Date.now
  private struct State {
    var endpoint = ""
    var key: APIKey?
    var model: String?
    var usage: Usage?
    var finishReason: String?
    var error: String?
  }

  private let state = Mutex(State())

  init() {
    let number = UInt128.random(in: 0 ... .max)
    let digits = String(number, radix: 16)
    id = String(repeating: "0", count: 32 - digits.count) + digits
  }

  /// The path, without a version before it.
  var endpoint: String { state.withLock { $0.endpoint } }
  /// Who asks; nil on a server without keys.
  var key: APIKey? { state.withLock { $0.key } }
  var model: String? { state.withLock { $0.model } }
  var usage: Usage? { state.withLock { $0.usage } }
  var finishReason: String? { state.withLock { $0.finishReason } }
  var error: String? { state.withLock { $0.error } }

  func note(endpoint: String) { state.withLock { $0.endpoint = endpoint } }

  func note(key: APIKey) { state.withLock { $0.key = key } }

  func note(model: String) { state.withLock { $0.model = model } }

  func note(error: String) { state.withLock { $0.error = error } }

  func note(usage: Usage, finishReason: String?) {
    state.withLock { state in
      state.usage = usage
      state.finishReason = finishReason
    }
  }
}

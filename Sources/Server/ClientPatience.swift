internal import HummingbirdCore
internal import NIOCore

/// Lets go of clients that are too slow although something happens: a request must be whole after a while, and an answer must be taken.
/// The limit of silence alone would wait for ever for a client that sends a byte now and then, or reads nothing.
final class ClientPatience: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPConnectionStateHandler.InboundIn
  typealias InboundOut = HTTPConnectionStateHandler.InboundOut
  typealias OutboundIn = HTTPConnectionStateHandler.OutboundIn
  typealias OutboundOut = HTTPConnectionStateHandler.OutboundOut

  private let requestTimeout: TimeAmount
  private let answerTimeout: TimeAmount
  /// Requests that were not answered to the end, the one that is coming among them.
  private var open = 0
  private var isComing = false
  private var requestEnd: Scheduled<Void>?
  private var answerEnd: Scheduled<Void>?

  /// - Parameters:
  ///   - requestTimeout: how long a request may take to be whole, from the end of its headers.
  ///   - answerTimeout: how long a client may take nothing of what waits to be sent.
  init(requestTimeout: Duration, answerTimeout: Duration) {
    self.requestTimeout = TimeAmount(requestTimeout)
    self.answerTimeout = TimeAmount(answerTimeout)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      open += 1
      isComing = true
      // Of a request behind another one nothing is read before its turn.
      if open == 1 { requestEnd = Self.close(context, in: requestTimeout) }
    case .body: break
    case .end:
      isComing = false
      requestEnd?.cancel()
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) {
      open -= 1
      if open == 1, isComing { requestEnd = Self.close(context, in: requestTimeout) }
    }
    context.write(data, promise: promise)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    answerEnd?.cancel()
    if !context.channel.isWritable { awaitReader(context, unsent: Self.unsentBytes(context)) }
    context.fireChannelWritabilityChanged()
  }

  /// Closes the connection after a while, unless less is left to send by then: what is long is taken little by little.
  private func awaitReader(_ context: ChannelHandlerContext, unsent: Int) {
    answerEnd = context.eventLoop.assumeIsolated().scheduleTask(in: answerTimeout) {
      let left = Self.unsentBytes(context)
      if left < unsent { self.awaitReader(context, unsent: left) } else { context.close(promise: nil) }
    }
  }

  private static func unsentBytes(_ context: ChannelHandlerContext) -> Int {
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    requestEnd?.cancel()
    answerEnd?.cancel()
  }

  private static func close(_ context: ChannelHandlerContext, in time: TimeAmount) -> Scheduled<Void> {
    let channel = context.channel
    return context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
  }
}

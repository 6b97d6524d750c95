internal import NIOCore

/// Notices that a client closed its connection, or its half of it, while its request is being answered.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Never

  private let gone: Flag

  init(gone: Flag = Flag()) { self.gone = gone }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { gone.raise() }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    gone.raise()
    context.fireChannelInactive()
  }

  /// The flag of a connection, which is raised when its client goes.
  static func gone(_ channel: any Channel) async -> Flag {
    let flag = try? await channel.eventLoop.submit {
      try channel.pipeline.syncOperations.handler(type: ClientWatch.self).gone
    }.get()
    if let flag { return flag }
    // The pipeline is torn down already.
    let gone = Flag()
    gone.raise()
    return gone
  }
}

internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SwiftletJSON

extension API {
  /// All endpoints. Those of OpenAI's shape are there with and without `/v1`.
  func routes(logger: Logger) -> some HTTPResponder<ServerContext> {
    let router = Router(context: ServerContext.self)
    router.add(middleware: RequestLog(metrics: metrics, logger: logger))
    router.add(middleware: HostCheck(configuration))
    for prefix in ["", "v1"] {
      let group = router.group(RouterPath(prefix))
      group.post("chat/completions", use: chatCompletions)
      group.post("completions", use: completions)
      group.post("beta/completions", use: completions)
      group.get("models") { _, _ in Self.response(models.json) }
      group.get("models/**") { request, context in
        let name = context.parameters.getCatchAll().joined(separator: "/")
        return Self.response(try models.json(named: name.removingPercentEncoding ?? name))
      }
      group.get("user/balance") { _, _ in Self.response(Self.balance) }
      group.post("tokenize", use: tokenize)
      group.post("detokenize", use: detokenize)
      group.get("health") { _, _ in health() }
      group.get("metrics") { _, _ in metricsText() }
      group.post("messages", use: anthropicMessages)
      group.post("anthropic/v1/messages", use: anthropicMessages)
    }
    addChats(to: router)
    addStats(to: router)
    PageFiles.add(to: router)
    return router.buildResponder()
  }

  /// Of a server without keys, where nothing is paid for.
  private static let balance: JSONValue = [
    "is_available": true,
    "balance_infos": [["currency": "USD", "total_balance": "0.00", "granted_balance": "0.00", "topped_up_balance": "0.00"]],
  ]

  private func health() -> Response {
    lifecycle.isDraining ? Self.response(["status": "draining"], status: 503) : Self.response(["status": "ok"])
  }

  private func metricsText() -> Response {
    var headers = HTTPFields()
    headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
    let text = metrics.text(models.all)
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}

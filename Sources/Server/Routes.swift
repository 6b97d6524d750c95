internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SwiftletJSON

extension API {
  /// All endpoints. Those of OpenAI's shape are there with and without `/v1`, and HEAD wherever GET is.
  func routes(logger: Logger) -> some HTTPResponder<ServerContext> {
    let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: RequestLog(metrics: metrics, logger: logger))
    router.add(middleware: HostCheck(configuration, store: store))
    let check = KeyCheck(store: store, limiter: limiter, isReachable: !configuration.isLoopback)
    for prefix in ["", "v1"] {
      // Open to whoever reaches the server.
      router.group(RouterPath(prefix)).get("health") { _, _ in health() }
      let group = router.group(RouterPath(prefix)).add(middleware: check)
      // DeepSeek's clients ask at `/beta` for what goes on from a prefix.
      for path in ["", "beta/"] {
        group.post(RouterPath(path + "chat/completions"), use: chatCompletions)
        group.post(RouterPath(path + "completions"), use: completions)
      }
      group.get("models") { _, _ in Self.response(models.json) }
      group.get("models/**") { request, context in
        let name = context.parameters.getCatchAll().joined(separator: "/")
        return Self.response(try models.json(named: name.removingPercentEncoding ?? name))
      }
      group.get("user/balance") { balance($0, $1) }
      group.post("tokenize", use: tokenize)
      group.post("detokenize", use: detokenize)
      group.get("policy") { _, _ in Self.response(configuration.policy.json) }
      group.get("metrics") { _, context in
        // What others do is told to administrators alone.
        if let key = context.record.key, !key.isAdmin {
          throw APIError.forbidden("/metrics: this key is not an administrator's (`swiftlet keys create --admin`)")
        }
        return metricsText()
      }
      for path in ["messages", "anthropic/v1/messages"] {
        group.post(RouterPath(path), use: anthropicMessages)
        group.post(RouterPath(path + "/count_tokens"), use: anthropicTokens)
      }
    }
    let guarded = router.group(RouterPath("")).add(middleware: check)
    addChats(to: guarded)
    addStats(to: guarded)
    // They hold nobody's data, and ask for a key themselves.
    PageFiles.add(to: router)
    return router.buildResponder()
  }

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

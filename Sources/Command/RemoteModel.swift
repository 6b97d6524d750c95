import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SwiftletHub
import SwiftletJSON
import SwiftletTasks
import Synchronization

/// A model behind OpenAI's /v1/chat/completions.
struct RemoteModel: Sendable {
  private static let attempts = 7
  private static let longestAnswer = 64 << 20
  private static let noted = Mutex(Set<String>())

  private let base: String
  private let key: String?
  private let client: HTTPClient
  let model: String
  /// What every request has beside model, messages and seed.
  private let fields: [JSONMember]
  private let pace: RequestPace

  /// Opens connections for as long as `body` runs.
  /// - Parameters:
  ///   - address: with or without /v1 at its end.
  ///   - model: nil for the first that the server lists.
  ///   - parallel: requests at once.
  ///   - requestsPerMinute: nil for no limit.
  static func with<Result: Sendable>(
    _ address: String, key: String?, model: String?, fields: [JSONMember], parallel: Int, requestsPerMinute: Double? = nil,
    _ body: @Sendable (RemoteModel) async throws -> Result
  ) async throws -> Result {
    guard let url = URL(string: address), url.user == nil, url.password == nil else {
      throw CommandError(
        "--api: expected an address without user and password, such as https://api.deepseek.com/v1; keys go with --api-key-env.")
    }
    guard let origin = Origin(address) else {
      throw CommandError("--api: found '\(address)', expected an address such as https://api.deepseek.com/v1.")
    }
    var base = address
    while base.hasSuffix("/") { base.removeLast() }
    if url.path.isEmpty || url.path == "/" { base += "/v1" }
    var settings = HTTPClient.Configuration(
      redirectConfiguration: .disallow, timeout: .init(connect: .seconds(10), read: .seconds(1800)))
    settings.httpVersion = .http1Only
    // A request that waits for a connection would time out.
    settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(8, parallel)
    let proxies = ProxySettings(environment: ProcessInfo.processInfo.environment)
    if !proxies.excludes(origin) { settings.proxy = try proxies.proxy }
    let pace = RequestPace(perMinute: requestsPerMinute)
    return try await HTTPClient.withHTTPClient(configuration: settings) { [base] client in
      let name: String
      if let model {
        name = model
      } else {
        let unnamed = RemoteModel(base: base, key: key, client: client, model: "", fields: [], pace: pace)
        let list = try await unnamed.request("/models", body: nil)
        guard let first = list["data"]?.elements?.first?["id"]?.string else {
          throw CommandError("\(base)/models names no model; say which one with --api-model.")
        }
        name = first
      }
      return try await body(RemoteModel(base: base, key: key, client: client, model: name, fields: fields, pace: pace))
    }
  }

  /// Answers one prompt.
  /// - Parameter budget: how long it thinks, as fields of the request.
  func answer(_ prompt: String, seed: UInt64, budget: [JSONMember]) async throws -> ModelAnswer {
    try await answer(messages: [["role": "user", "content": .string(prompt)]], seed: seed, budget: budget)
  }

  /// Answers a conversation.
  /// - Throws: `AnswerFailure` where another request may well be answered, `CommandError` where the server refuses all.
  func answer(messages: JSONValue, seed: UInt64, budget: [JSONMember] = []) async throws -> ModelAnswer {
    let members = [
      JSONMember(key: "model", value: .string(model)), JSONMember(key: "messages", value: messages),
      JSONMember(key: "seed", value: .integer(Int(seed))),
    ]
    let json = try await request("/chat/completions", body: .object(members + fields + budget))
    guard let choice = json["choices"]?.elements?.first, let message = choice["message"] else {
      throw AnswerFailure(
        "\(base)/chat/completions answered without choices: \(json.serialized().prefix(300).description.withoutControls)")
    }
    return ModelAnswer(
      reasoning: message["reasoning_content"]?.string ?? message["reasoning"]?.string ?? "",
      content: message["content"]?.string ?? "", tokens: json["usage"]?["completion_tokens"]?.integer ?? 0,
      isTruncated: ["length", "content_filter"].contains(choice["finish_reason"]?.string),
      reasoningTokens: json["usage"]?["completion_tokens_details"]?["reasoning_tokens"]?.integer ?? 0)
  }

  /// One request, again and with longer pauses when the server is busy or fails.
  private func request(_ path: String, body: JSONValue?) async throws -> JSONValue {
    var failure = ""
    for attempt in 0..<Self.attempts {
      try await pace.wait()
      var request = HTTPClientRequest(url: base + path)
      request.headers.add(name: "User-Agent", value: "swiftlet")
      if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
      if let body {
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body.serialized()))
      }
      var pause = RequestPace.pause(after: attempt)
      do {
        let response = try await client.execute(request, deadline: .distantFuture)
        let data = try await response.body.collect(upTo: Self.longestAnswer)
        let bytes = Array(data.readableBytesView)
        switch response.status.code {
        case 200..<300:
          guard let json = try? JSONValue(parsing: bytes) else {
            throw AnswerFailure("\(base)\(path) answered what is no JSON: \(Self.excerpt(bytes))")
          }
          guard let reason = Self.interruption(json) else { return json }
          failure = reason
        case 408, 429, 500...599:
          failure = "status \(response.status.code): \(Self.excerpt(bytes))"
          if let wish = response.headers.first(name: "Retry-After").flatMap({ RequestPace.pause(retryAfter: $0, now: Date()) }) {
            pause = RequestPace.pause(after: attempt, wish: wish)
            await pace.hold(for: wish)
          }
        // What the request says is at fault, such as a prompt that is too long.
        case 400, 413, 422:
          throw AnswerFailure("\(base)\(path) refused the request with status \(response.status.code): \(Self.excerpt(bytes))")
        default:
          throw CommandError("\(base)\(path) refused the request with status \(response.status.code): \(Self.excerpt(bytes))")
        }
      } catch let error as CommandError {
        throw error
      } catch let error as AnswerFailure {
        throw error
      } catch {
        try Task.checkCancellation()
        let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? String(describing: error)
        failure = "no answer: \(reason.prefix(200))"
      }
      if attempt + 1 < Self.attempts {
        note(failure, of: path)
        try await Task.sleep(for: pause)
      }
    }
    throw AnswerFailure(
      "\(base)\(path) failed in \(Self.attempts) attempts, at last with \(failure). What was answered is kept.")
  }

  /// All attempts take minutes: what is wrong is told at the first one, once for a kind of failure and not for each request.
  private func note(_ failure: String, of path: String) {
    let kind = String(failure.prefix { $0 != ":" })
    guard Self.noted.withLock({ $0.insert(kind).inserted }) else { return }
    // A line of progress may stand there.
    if Output.rewritesErrorLine { Output.writeError("\r\u{1B}[K") }
    Output.note("\(base)\(path): \(failure); it is tried \(Self.attempts) times, with pauses")
  }

  /// Why the text of an answer is no answer, where another request may get a whole one: the server was stopped, or had no room.
  private static func interruption(_ json: JSONValue) -> String? {
    guard let reason = json["choices"]?.elements?.first?["finish_reason"]?.string,
      ["insufficient_system_resource", "error"].contains(reason)
    else { return nil }
    return "an answer that the server did not finish (\(reason))"
  }

  private static func excerpt(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(300), as: UTF8.self).withoutControls }
}

extension ModelAnswer {
  /// An answer whose thought came apart.
  init(
    reasoning: String, content: String, tokens: Int, isTruncated: Bool, reasoningTokens: Int, logProbability: Double? = nil
  ) {
    let isOpen = isTruncated && content.isEmpty
    let thought = reasoning.isEmpty ? "" : "<think>\n\(reasoning)\n" + (isOpen ? "" : "</think>\n")
    self.init(
      text: thought + content, tokens: tokens, isTruncated: isTruncated, reasoningTokens: reasoningTokens,
      logProbability: logProbability)
  }
}

internal import Hummingbird
internal import SwiftletGeneration
internal import SwiftletJSON

/// `POST /anthropic/v1/messages`: the same answers in the shape of Anthropic's Messages API.
extension API {
  func anthropicMessages(_ request: Request, _ context: ServerContext) async throws -> Response {
    let message = try await read(request, context) { [models] in try AnthropicRequest($0, models: models) }
    context.record.note(model: message.served.id)
    let run = try await start([message.request], message.served, context)
    let format = AnthropicFormat(message, record: context.record)
    if message.isStreamed { return Self.stream(run, format) }
    return try await whole(context, errors: \.anthropicJSON) { try await Self.collect(run, format, idle: $0) }
  }

  /// `POST /anthropic/v1/messages/count_tokens`: how long the prompt of a message is. Nothing is computed, so nothing is charged.
  func anthropicTokens(_ request: Request, _ context: ServerContext) async throws -> Response {
    let count = try await read(request, context) { [models] in try AnthropicRequest.promptTokens($0, models: models) }
    return Self.response(["input_tokens": .integer(count)])
  }

  private static func collect(
    _ run: AnswerRun, _ format: AnthropicFormat, idle: @Sendable () -> Void
  ) async throws -> JSONValue {
    var choices = [format.choice]
    defer { format.note(choices[0]) }
    try await run.collect(&choices, idle: idle)
    return format.whole(choices[0])
  }

  private static func stream(_ run: AnswerRun, _ format: AnthropicFormat) -> Response {
    EventStream.response { events in
      var choice = format.choice
      defer { format.note(choice) }
      var blocks = AnthropicBlocks()
      try await events.sendNamed(["type": "message_start", "message": format.message(choice, content: [])])
      try await events.tellingErrors(format.record, as: \.anthropicJSON) { events in
        func send(_ pieces: [AnswerPiece]) async throws {
          for piece in pieces { for json in blocks.add(piece, format) { try await events.sendNamed(json) } }
        }
        try await run.forEach { signal in
          switch signal {
          case .event(_, let event): try await send(choice.add(event))
          case .denied(_, let rule): try await send(choice.deny(by: rule))
          case .tick: try await events.keepAlive(by: ["type": "ping"])
          case .cut: try await send(choice.cut())
          }
        }
        for json in blocks.end() { try await events.sendNamed(json) }
        try await events.sendNamed(format.end(choice))
        try await events.sendNamed(["type": "message_stop"])
      }
    }
  }
}

/// The blocks of a streamed answer: a thought, then texts and calls of tools.
private struct AnthropicBlocks {
  private enum Kind: Equatable {
    case thinking
    case text
    case call(Int)
  }

  private var index = 0
  private var open: Kind?

  /// The events for a piece.
  mutating func add(_ piece: AnswerPiece, _ format: AnthropicFormat) -> [JSONValue] {
    switch piece {
    case .reasoning(let text):
      begin(.thinking, ["type": "thinking", "thinking": "", "signature": ""])
        + [delta(["type": "thinking_delta", "thinking": .string(text)])]
    case .content(let text):
      begin(.text, ["type": "text", "text": ""]) + [delta(["type": "text_delta", "text": .string(text)])]
    case .call(let number, let name):
      begin(.call(number), format.block(name: name, number, input: .object([])))
    case .arguments(_, let text): [delta(["type": "input_json_delta", "partial_json": .string(text)])]
    }
  }

  private func delta(_ delta: JSONValue) -> JSONValue {
    ["type": "content_block_delta", "index": .integer(index), "delta": delta]
  }

  /// The events that begin a block, unless it is open.
  private mutating func begin(_ kind: Kind, _ empty: JSONValue) -> [JSONValue] {
    if open == kind { return [] }
    let ended = end()
    open = kind
    return ended + [["type": "content_block_start", "index": .integer(index), "content_block": empty]]
  }

  /// Ends the block that is open.
  mutating func end() -> [JSONValue] {
    guard let kind = open else { return [] }
    defer {
      open = nil
      index += 1
    }
    let signature = kind == .thinking ? [delta(["type": "signature_delta", "signature": ""])] : []
    return signature + [["type": "content_block_stop", "index": .integer(index)]]
  }
}

/// Writes the answer to a request of Anthropic's shape.
private struct AnthropicFormat: Sendable {
  private let id: String
  private let model: String
  private let promptTokens: Int
  /// An answer of which nothing has come.
  let choice: ChoiceState
  let record: RequestRecord

  init(_ message: AnthropicRequest, record: RequestRecord) {
    id = "msg_" + record.id
    model = message.modelName
    promptTokens = message.request.prompt.count
    choice = ChoiceState(findsCalls: message.hasTools, callLimit: message.callLimit)
    self.record = record
  }

  private func usage(_ choice: ChoiceState) -> Usage { Usage(promptTokens: promptTokens, choices: [choice]) }

  /// Tells log and metrics.
  func note(_ choice: ChoiceState) { record.note(usage: usage(choice), finishReason: choice.finishReason) }

  private func usageJSON(_ choice: ChoiceState) -> JSONValue {
    let usage = usage(choice)
    return [
      "input_tokens": .integer(usage.promptTokens - usage.cachedTokens), "cache_creation_input_tokens": 0,
      "cache_read_input_tokens": .integer(usage.cachedTokens), "output_tokens": .integer(usage.completionTokens),
    ]
  }

  private func stopReason(_ choice: ChoiceState) -> (reason: JSONValue, sequence: JSONValue) {
    let sequence = choice.summary?.stopText
    switch choice.finishReason {
    case nil: return (.null, .null)
    case "stop"?: return sequence.map { ("stop_sequence", .string($0)) } ?? ("end_turn", .null)
    case "content_filter"?: return ("refusal", .null)
    case "tool_calls"?: return ("tool_use", .null)
    // One that the server cut ended early too.
    default: return ("max_tokens", .null)
    }
  }

  func message(_ choice: ChoiceState, content: [JSONValue]) -> JSONValue {
    let stop = stopReason(choice)
    let members: [(String, JSONValue)] = [
      ("id", .string(id)), ("type", "message"), ("role", "assistant"), ("model", .string(model)), ("content", .array(content)),
      ("stop_reason", stop.reason), ("stop_sequence", stop.sequence), ("usage", usageJSON(choice)),
    ]
    return .object(members.map { JSONMember(key: $0.0, value: $0.1) } + (choice.denial.map { [$0.member] } ?? []))
  }

  func whole(_ choice: ChoiceState) -> JSONValue {
    var content: [JSONValue] = []
    if !choice.reasoning.isEmpty {
      content.append(["type": "thinking", "thinking": .string(choice.reasoning), "signature": ""])
    }
    if !choice.content.isEmpty { content.append(["type": "text", "text": .string(choice.content)]) }
    for (number, call) in choice.toolCalls.enumerated() {
      content.append(block(name: call.name, number, input: (try? JSONValue(parsing: call.arguments)) ?? .object([])))
    }
    return message(choice, content: content)
  }

  func block(name: String, _ number: Int, input: JSONValue) -> JSONValue {
    [
      "type": "tool_use", "id": .string("toolu_\(record.id.prefix(24))\(number)"), "name": .string(name), "input": input,
    ]
  }

  /// The event before the last.
  func end(_ choice: ChoiceState) -> JSONValue {
    let stop = stopReason(choice)
    let members: [(String, JSONValue)] = [
      ("type", "message_delta"), ("delta", ["stop_reason": stop.reason, "stop_sequence": stop.sequence]),
      ("usage", usageJSON(choice)),
    ]
    return .object(members.map { JSONMember(key: $0.0, value: $0.1) } + (choice.denial.map { [$0.member] } ?? []))
  }
}

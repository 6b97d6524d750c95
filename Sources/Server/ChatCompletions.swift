internal import Foundation
internal import Hummingbird
internal import Swiftlet
internal import SwiftletGeneration
internal import SwiftletJSON
internal import SwiftletTokenization

/// `POST /chat/completions`, in OpenAI's shape with DeepSeek's additions.
extension API {
  func chatCompletions(_ request: Request, _ context: ServerContext) async throws -> Response {
    let chat = try await read(request, context) { [models] in try ChatRequest($0, models: models) }
    context.record.note(model: chat.served.id)
    let run = try await start(chat.requests, chat.served, context)
    let format = ChatFormat(chat, record: context.record, tokenizer: try chat.served.tokenizer())
    return chat.isStreamed ? Self.stream(run, format) : try await whole(context) { try await Self.collect(run, format, idle: $0) }
  }

  private static func collect(_ run: AnswerRun, _ format: ChatFormat, idle: @Sendable () -> Void) async throws -> JSONValue {
    var choices = [ChoiceState](repeating: format.choice, count: run.streams.count)
    defer { format.note(choices) }
    try await run.collect(&choices, idle: idle)
    return format.whole(&choices)
  }

  private static func stream(_ run: AnswerRun, _ format: ChatFormat) -> Response {
    EventStream.response { events in
      var choices = [ChoiceState](repeating: format.choice, count: run.streams.count)
      defer { format.note(choices) }
      for index in choices.indices { try await events.send(format.chunk(index, delta: ["role": "assistant", "content": ""])) }
      try await events.tellingErrors(format.record) { events in
        func send(_ pieces: [AnswerPiece], _ index: Int) async throws {
          for piece in pieces {
            let logProbabilities = format.logProbabilities(&choices[index])
            try await events.send(format.chunk(index, delta: format.delta(piece), logProbabilities: logProbabilities))
          }
          if choices[index].finishReason != nil { try await events.send(format.end(index, &choices[index])) }
        }
        try await run.forEach { signal in
          switch signal {
          case .event(let index, let event): try await send(choices[index].add(event), index)
          case .denied(let index, let rule): try await send(choices[index].deny(by: rule), index)
          case .tick: try await events.keepAlive()
          case .cut:
            for index in choices.indices where choices[index].finishReason == nil {
              try await send(choices[index].cut(), index)
            }
          }
        }
        if format.includesUsage { try await events.send(format.usageChunk(choices)) }
      }
      try await events.sendDone()
    }
  }
}

/// Writes the answers of a chat request.
struct ChatFormat: Sendable {
  private let id: String
  private let created = Int(Date.now.timeIntervalSince1970)
  private let model: String
  private let promptTokens: Int
  private let tokenizer: Tokenizer
  private let wantsLogProbabilities: Bool
  private let choosing: AnswerChoice?
  let includesUsage: Bool
  /// An answer of which nothing has come.
  let choice: ChoiceState
  let record: RequestRecord

  init(_ chat: ChatRequest, record: RequestRecord, tokenizer: Tokenizer) {
    id = "chatcmpl-" + record.id
    model = chat.modelName
    promptTokens = chat.promptTokens
    wantsLogProbabilities = chat.wantsLogProbabilities
    includesUsage = chat.includesUsage
    choosing = chat.choosing
    choice = ChoiceState(findsCalls: chat.hasTools, callLimit: chat.callLimit)
    self.record = record
    self.tokenizer = tokenizer
  }

  /// Tells log and metrics.
  func note(_ choices: [ChoiceState]) {
    record.note(usage: Usage(promptTokens: promptTokens, choices: choices), finishReason: choices.first?.finishReason)
  }

  func delta(_ piece: AnswerPiece) -> JSONValue {
    switch piece {
    case .reasoning(let text): ["content": nil, "reasoning_content": .string(text)]
    case .content(let text): ["content": .string(text)]
    case .call(let index, let name):
      toolCall([JSONMember(key: "index", value: .integer(index))] + members(ToolCall(name: name, arguments: ""), index))
    case .arguments(let index, let text):
      toolCall([
        JSONMember(key: "index", value: .integer(index)), JSONMember(key: "function", value: ["arguments": .string(text)]),
      ])
    }
  }

  private func toolCall(_ members: [JSONMember]) -> JSONValue { ["tool_calls": [.object(members)]] }

  private func members(_ call: ToolCall, _ index: Int) -> [JSONMember] {
    [
      JSONMember(key: "id", value: .string("call_\(record.id.prefix(24))\(index)")), JSONMember(key: "type", value: "function"),
      JSONMember(key: "function", value: ["name": .string(call.name), "arguments": .string(call.arguments)]),
    ]
  }

  func logProbabilities(_ choice: inout ChoiceState) -> JSONValue {
    choice.takeLogProbabilities(tokenizer, isWanted: wantsLogProbabilities)
  }

  private func object(_ kind: String, choices: [JSONValue], usage: JSONValue?, extension own: JSONValue? = nil) -> JSONValue {
    var members: [JSONMember] = [
      JSONMember(key: "id", value: .string(id)), JSONMember(key: "object", value: .string(kind)),
      JSONMember(key: "created", value: .integer(created)), JSONMember(key: "model", value: .string(model)),
      JSONMember(key: "system_fingerprint", value: nil), JSONMember(key: "choices", value: .array(choices)),
    ]
    if let usage { members.append(JSONMember(key: "usage", value: usage)) }
    if let own { members.append(JSONMember(key: "swiftlet", value: own)) }
    return .object(members)
  }

  func chunk(
    _ index: Int, delta: JSONValue, logProbabilities: JSONValue = nil, finishReason: String? = nil, denial: Policy.Rule? = nil
  ) -> JSONValue {
    let choice: [JSONMember] = [
      JSONMember(key: "index", value: .integer(index)), JSONMember(key: "delta", value: delta),
      JSONMember(key: "logprobs", value: logProbabilities),
      JSONMember(key: "finish_reason", value: finishReason.map { .string($0) } ?? .null),
    ]
    let choices = [JSONValue.object(choice + (denial.map { [$0.member] } ?? []))]
    return object("chat.completion.chunk", choices: choices, usage: includesUsage ? .null : nil)
  }

  /// The last chunk of a choice, with the log-probabilities of tokens that had no text of their own.
  func end(_ index: Int, _ choice: inout ChoiceState) -> JSONValue {
    let rest = choice.logProbabilities.isEmpty ? .null : logProbabilities(&choice)
    return chunk(
      index, delta: .object([]), logProbabilities: rest, finishReason: choice.finishReason, denial: choice.denial)
  }

  func usageChunk(_ choices: [ChoiceState]) -> JSONValue {
    object("chat.completion.chunk", choices: [], usage: Usage(promptTokens: promptTokens, choices: choices).json)
  }

  func whole(_ choices: inout [ChoiceState]) -> JSONValue {
    var values: [JSONValue] = []
    let selection = choosing.map { AnswerSelection(choices, by: $0) }
    for index in selection.map({ [$0.chosen] }) ?? Array(choices.indices) {
      let logProbabilities = logProbabilities(&choices[index])
      let choice = choices[index], calls = choice.toolCalls
      var message: [JSONMember] = [
        JSONMember(key: "role", value: "assistant"),
        JSONMember(key: "content", value: choice.content.isEmpty && !calls.isEmpty ? .null : .string(choice.content)),
      ]
      if !choice.reasoning.isEmpty { message.append(JSONMember(key: "reasoning_content", value: .string(choice.reasoning))) }
      if !calls.isEmpty {
        let values = calls.enumerated().map { JSONValue.object(members($1, $0)) }
        message.append(JSONMember(key: "tool_calls", value: .array(values)))
      }
      let fields: [JSONMember] = [
        JSONMember(key: "index", value: .integer(values.count)), JSONMember(key: "message", value: .object(message)),
        JSONMember(key: "logprobs", value: logProbabilities),
        JSONMember(key: "finish_reason", value: choice.finishReason.map { .string($0) } ?? .null),
      ]
      values.append(.object(fields + (choice.denial.map { [$0.member] } ?? [])))
    }
    return object(
      "chat.completion", choices: values, usage: Usage(promptTokens: promptTokens, choices: choices).json,
      extension: selection?.json)
  }
}

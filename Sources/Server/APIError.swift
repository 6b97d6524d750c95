internal import GRDB
internal import SwiftletChatTemplates
internal import SwiftletGeneration
internal import SwiftletJSON

/// What a request is refused with: a status and a body in the shape of OpenAI's errors, or of Anthropic's.
struct APIError: Error, Sendable, Equatable {
  var status: Int
  var type: String
  var message: String
  /// The parameter that is wrong.
  var parameter: String?
  var code: String?
  /// Seconds after which another try makes sense.
  var retryAfter: Int?
  /// That of what the request would have written over.
  var revision: Int?

  /// 400: the body or a field of it has not the form it must have.
  static func malformed(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
    APIError(status: 400, type: "invalid_request_error", message: message, parameter: parameter, code: code)
  }

  /// The same error of another parameter.
  func naming(_ parameter: String) -> APIError {
    var error = self
    error.parameter = parameter
    return error
  }

  /// 422: a field has the right form and a value that is not allowed.
  static func outOfRange(_ parameter: String, _ reason: String) -> APIError {
    APIError(
      status: 422, type: "invalid_request_error", message: "\(parameter): \(reason)", parameter: parameter,
      code: "invalid_parameter")
  }

  /// 401, as OpenAI says it.
  static func unauthorized(_ message: String) -> APIError {
    APIError(status: 401, type: "invalid_request_error", message: message, code: "invalid_api_key")
  }

  /// 402, as DeepSeek says it.
  static let insufficientBalance = APIError(
    status: 402, type: "unknown_error", message: "Insufficient Balance", code: "invalid_request_error")

  /// 429, as OpenAI says it.
  static func limited(_ what: String, limit: Int, retryAfter: Int) -> APIError {
    APIError(
      status: 429, type: "rate_limit_error",
      message: "Rate limit reached for \(what): this key may have \(limit). Please try again in \(retryAfter)s.",
      code: "rate_limit_exceeded", retryAfter: retryAfter)
  }

  static func notFound(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
    APIError(status: 404, type: "invalid_request_error", message: message, parameter: parameter, code: code)
  }

  static func forbidden(_ message: String) -> APIError {
    APIError(status: 403, type: "permission_error", message: message, code: "forbidden")
  }

  /// 400, as OpenAI's API on Azure answers a prompt that its filter holds back.
  static func denied(rule: String, message: String) -> APIError {
    .malformed("The rule '\(rule)' of this server's content policy refuses the prompt: \(message)", code: "content_filter")
  }

  static func tooLarge(limit: Int) -> APIError {
    APIError(
      status: 413, type: "invalid_request_error", message: "the body is larger than the \(limit) bytes this server takes",
      code: "request_too_large")
  }

  static let draining = APIError(
    status: 503, type: "server_error", message: "the server is stopping", code: "draining", retryAfter: 10)

  static func overloaded(_ message: String, retryAfter: Int) -> APIError {
    APIError(status: 503, type: "server_error", message: message, code: "overloaded", retryAfter: retryAfter)
  }

  static func internalError(_ message: String) -> APIError {
    APIError(status: 500, type: "server_error", message: message, code: "internal_error")
  }

  /// 507 when there is no room for what would be written, else 500. What was being done with the database is for the log alone.
  static func database(_ error: DatabaseError) -> APIError {
    guard error.resultCode == .SQLITE_FULL else {
      return .internalError("the server's database cannot be used: \(error.message ?? "\(error.resultCode)")")
    }
    return APIError(
      status: 507, type: "server_error", message: "the server's disk is full, and its database cannot be written",
      code: "insufficient_storage")
  }

  /// What a failure of the modules below means to a client.
  /// - Parameter retryAfter: seconds until a place is free, about.
  init(_ error: any Error, retryAfter: Int = 5) {
    switch error {
    case let error as APIError: self = error
    case let error as JSONError: self = .malformed("the body is no JSON: \(error)", code: "invalid_json")
    case let error as TemplateError:
      self = .malformed("the model's chat template refuses the messages: \(error)", parameter: "messages")
    case let error as GenerationError: self.init(error, retryAfter)
    case let error as DatabaseError: self = .database(error)
    case let error as ChatRefusal: self.init(error)
    default: self = .internalError("\(error)")
    }
  }

  private init(_ error: GenerationError, _ retryAfter: Int) {
    switch error {
    case .invalidOption(let name, let reason): self = .outOfRange(name, reason)
    case .promptTooLong(let tokens, let contextLength):
      self = .malformed(
        "This model's maximum context length is \(contextLength) tokens. However, your prompt has \(tokens) tokens.",
        parameter: "messages", code: "context_length_exceeded")
    case .emptyPrompt: self = .malformed("\(error)", parameter: "prompt")
    case .tokenOutOfRange: self = .outOfRange("prompt", "\(error)")
    case .cacheTooSmall: self = .outOfRange("max_tokens", "\(error)")
    case .constraintRefused: self = .malformed("\(error)", parameter: "response_format", code: "invalid_schema")
    case .limitTooSmall: self = .malformed("max_tokens: \(error)", parameter: "max_tokens", code: "max_tokens_too_small")
    case .queueFull: self = .overloaded("\(error)", retryAfter: retryAfter)
    case .notANumber, .engineStopped: self = .internalError("\(error)")
    }
  }

  init(
    status: Int, type: String, message: String, parameter: String? = nil, code: String? = nil, retryAfter: Int? = nil,
    revision: Int? = nil
  ) {
    self.status = status
    self.type = type
    self.message = message
    self.parameter = parameter
    self.code = code
    self.retryAfter = retryAfter
    self.revision = revision
  }

  /// As OpenAI and DeepSeek write it.
  var json: JSONValue {
    var members = [
      JSONMember(key: "message", value: .string(message)), JSONMember(key: "type", value: .string(type)),
      JSONMember(key: "param", value: parameter.map { .string($0) } ?? .null),
      JSONMember(key: "code", value: code.map { .string($0) } ?? .null),
    ]
    if let revision { members.append(JSONMember(key: "revision", value: .integer(revision))) }
    return ["error": .object(members)]
  }

  /// As Anthropic writes it.
  var anthropicJSON: JSONValue {
    let type =
      switch status {
      case 401: "authentication_error"
      case 402: "billing_error"
      case 403: "permission_error"
      case 404: "not_found_error"
      case 413: "request_too_large"
      case 429: "rate_limit_error"
      case 503: "overloaded_error"
      case 400..<500: "invalid_request_error"
      default: "api_error"
      }
    return ["type": "error", "error": ["type": .string(type), "message": .string(message)]]
  }
}

/// Why a chat or a message is not saved.
enum ChatRefusal: Error, Equatable {
  /// There is none of this id, or it is somebody else's.
  case noChat(String)
  /// It was changed since the client read it.
  case changed(String, given: Int, revision: Int)
  /// A message would follow itself, at once or by way of others.
  case circle(message: String, parent: String)
  case chatFull(bytes: Int, limit: Int)
  case allFull(bytes: Int, limit: Int)
}

extension APIError {
  init(_ refusal: ChatRefusal) {
    switch refusal {
    case .noChat(let id): self = .notFound("There is no chat '\(id)'.", parameter: "chat", code: "chat_not_found")
    case .changed(let what, let given, let revision):
      self.init(
        status: 409, type: "invalid_request_error",
        message: "revision: found \(given), but this \(what) has revision \(revision): it was changed meanwhile; read it again",
        parameter: "revision", code: "revision_conflict", revision: revision)
    case .circle(let message, let parent):
      self = .malformed(
        "parent: message '\(message)' cannot follow '\(parent)', as it would then follow itself", parameter: "parent")
    case .chatFull(let bytes, let limit):
      self.init(
        status: 413, type: "invalid_request_error",
        message: "this chat would take \(bytes) bytes, and one may take \(limit) (--chat-size); go on in a new one",
        code: "chat_too_large")
    case .allFull(let bytes, let limit):
      self.init(
        status: 413, type: "invalid_request_error",
        message: "your chats would take \(bytes) bytes, and all may take \(limit) (--chat-storage); delete some",
        code: "chats_too_large")
    }
  }
}

/// Why a chat template cannot be read or rendered. Lines are 1-based lines of the template.
public enum TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The template is not well-formed Jinja.
  case syntax(line: Int, reason: String)
  /// The template uses a part of Jinja that is not supported; `construct` names it, as in `the filter 'wordwrap'`.
  case unsupported(line: Int, construct: String)
  /// Rendering failed, mostly because a message lacks what the template asks for.
  case runtime(line: Int, reason: String)
  /// Rendering was stopped because it needed more than a chat ever does.
  case limit(line: Int, reason: String)
  /// The template called `raise_exception(message)`: it refuses this conversation.
  case raised(line: Int, message: String)
  /// The messages, tools or variables have the wrong shape.
  case input(reason: String)

  public var description: String {
    switch self {
    case .syntax(let line, let reason): "chat template, line \(line): \(reason)"
    case .unsupported(let line, let construct): "chat template, line \(line): \(construct) is not supported"
    case .runtime(let line, let reason): "chat template, line \(line): \(reason)"
    case .limit(let line, let reason): "chat template, line \(line): stopped, \(reason)"
    case .raised(_, let message): "the chat template refuses the conversation: \(message)"
    case .input(let reason): reason
    }
  }
}

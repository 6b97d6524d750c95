/// Why a chat template cannot be read or rendered. Lines are 1-based lines of the template.
public struct TemplateError: Error, Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The template is not well-formed Jinja.
    case syntax(line: Int, reason: String)
    /// The template uses a part of Jinja that is not supported; `construct` names it, as in `the filter 'wordwrap'`.
    case unsupported(line: Int, construct: String)
    /// Rendering failed, mostly because a message lacks what the template asks for.
    case runtime(line: Int, reason: String)
    /// Reading or rendering was stopped because it needed more than a chat ever does.
    case limit(line: Int, reason: String)
    /// The template called `raise_exception(message)`: it refuses this conversation.
    case raised(line: Int, message: String)
    /// The messages, tools or variables have the wrong shape.
    case input(reason: String)
  }

  public let kind: Kind
  /// The file that holds the template, where `ChatTemplate` was told.
  public var file: String?

  public init(_ kind: Kind, file: String? = nil) {
    self.kind = kind
    self.file = file
  }

  static func syntax(line: Int, reason: String) -> TemplateError { TemplateError(.syntax(line: line, reason: reason)) }
  static func unsupported(line: Int, construct: String) -> TemplateError {
    TemplateError(.unsupported(line: line, construct: construct))
  }
  static func runtime(line: Int, reason: String) -> TemplateError { TemplateError(.runtime(line: line, reason: reason)) }
  static func limit(line: Int, reason: String) -> TemplateError { TemplateError(.limit(line: line, reason: reason)) }
  static func raised(line: Int, message: String) -> TemplateError { TemplateError(.raised(line: line, message: message)) }
  static func input(reason: String) -> TemplateError { TemplateError(.input(reason: reason)) }
}

extension TemplateError: CustomStringConvertible {
  public var description: String {
    let place = file.map { "\($0): " } ?? ""
    return switch kind {
    case .syntax(let line, let reason): "\(place)chat template, line \(line): \(reason)"
    case .unsupported(let line, let construct): "\(place)chat template, line \(line): \(construct) is not supported"
    case .runtime(let line, let reason): "\(place)chat template, line \(line): \(reason)"
    case .limit(let line, let reason): "\(place)chat template, line \(line): stopped, \(reason)"
    case .raised(_, let message): "\(place)the chat template refuses the conversation: \(message)"
    case .input(let reason): reason
    }
  }
}

internal import SwiftletGeneration
internal import SwiftletJSON

/// The messages of a chat request in the form that chat templates read.
struct ChatMessages {
  /// Objects with `role` and `content`.
  private(set) var messages: [JSONValue] = []
  /// The last message, when the answer is to go on from it.
  private(set) var prefix: AnswerPrefix?

  private static let roles = ["system", "developer", "user", "assistant", "tool"]

  /// - Parameter parsesArguments: whether the template wants the arguments of tool calls as objects, not as text.
  /// - Throws: `APIError` naming the message and the field.
  init(_ fields: Fields, parsesArguments: Bool) throws(APIError) {
    let values = try fields.required("messages", try fields.array("messages"))
    guard !values.isEmpty else { throw .malformed("messages: found none, expected at least one", parameter: "messages") }
    for (index, value) in values.enumerated() {
      let message = try Fields(value, path: "messages[\(index)]")
      let role = try message.required("role", try message.string("role"))
      guard Self.roles.contains(role) else {
        throw .malformed(
          "\(message.name("role")): found \"\(role.prefix(40))\", expected one of \(Self.roles.joined(separator: ", "))",
          parameter: message.name("role"))
      }
      if role == "assistant", try message.bool("prefix") == true {
        guard index == values.count - 1 else {
          throw .malformed("\(message.name("prefix")): only the last message may be continued", parameter: message.name("prefix"))
        }
        prefix = AnswerPrefix(
          reasoning: try message.string("reasoning_content") ?? "", content: try Self.content(message) ?? "")
        continue
      }
      messages.append(try Self.message(message, role: role, parsesArguments: parsesArguments))
    }
  }

  /// Continues an answer that is there already, or starts one.
  init(messages: [JSONValue], prefix: AnswerPrefix?) {
    self.messages = messages
    self.prefix = prefix
  }

  private static func message(_ message: Fields, role: String, parsesArguments: Bool) throws(APIError) -> JSONValue {
    var members = [JSONMember(key: "role", value: .string(role == "developer" ? "system" : role))]
    let text = try content(message)
    let calls = try message.array("tool_calls") ?? []
    guard text != nil || !calls.isEmpty || role == "assistant" else {
      throw .malformed("\(message.name("content")) is missing", parameter: message.name("content"), code: "missing_parameter")
    }
    members.append(JSONMember(key: "content", value: .string(text ?? "")))
    if let name = try message.string("name") { members.append(JSONMember(key: "name", value: .string(name))) }
    if role == "assistant", !calls.isEmpty {
      var checked: [JSONValue] = []
      for (index, call) in calls.enumerated() {
        let path = message.name("tool_calls[\(index)]")
        checked.append(try toolCall(Fields(call, path: path), parsesArguments: parsesArguments))
      }
      members.append(JSONMember(key: "tool_calls", value: .array(checked)))
      // A thought belongs to the conversation only where it led to a call.
      if let reasoning = try message.string("reasoning_content") {
        members.append(JSONMember(key: "reasoning_content", value: .string(reasoning)))
      }
    }
    if role == "tool", let id = try message.string("tool_call_id") {
      members.append(JSONMember(key: "tool_call_id", value: .string(id)))
    }
    return .object(members)
  }

  /// A text, or the texts of an array of parts; nil when there is none.
  private static func content(_ message: Fields) throws(APIError) -> String? {
    guard let value = message["content"] else { return nil }
    if let text = value.string { return text }
    guard let parts = value.elements else { throw message.failure("content", expected: "a string or an array of parts") }
    var text = ""
    for (index, part) in parts.enumerated() {
      let fields = try Fields(part, path: message.name("content[\(index)]"))
      let type = try fields.string("type") ?? "text"
      guard type == "text" else {
        throw .malformed(
          "\(fields.name("type")): found \"\(type.prefix(40))\", but this model reads text only", parameter: fields.name("type"))
      }
      text += try fields.required("text", try fields.string("text"))
    }
    return text
  }

  private static func toolCall(_ call: Fields, parsesArguments: Bool) throws(APIError) -> JSONValue {
    let function = try call.required("function", try call.object("function"))
    let name = try function.required("name", try function.string("name"))
    var text = try function.string("arguments") ?? ""
    // OpenAI's models write nothing for functions without parameters, and clients send it back.
    if text.allSatisfy(\.isWhitespace) { text = "{}" }
    var arguments = JSONValue.string(text)
    if parsesArguments {
      do throws(JSONError) {
        arguments = try JSONValue(parsing: text)
      } catch {
        throw .malformed("\(function.name("arguments")): is no JSON: \(error)", parameter: function.name("arguments"))
      }
    }
    var members = [JSONMember(key: "type", value: "function")]
    if let id = try call.string("id") { members.append(JSONMember(key: "id", value: .string(id))) }
    members.append(JSONMember(key: "function", value: ["name": .string(name), "arguments": arguments]))
    return .object(members)
  }
}

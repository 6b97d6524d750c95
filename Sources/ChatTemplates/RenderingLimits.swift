/// Bounds that no real chat reaches, so that a hostile template can neither hang the process nor exhaust its memory or
/// its stack.
enum RenderingLimits {
  /// Scalars of a template's text.
  static let sourceLength = 4 << 20
  /// Different names in a template, and scalars of one of them.
  static let nameCount = 2_000
  static let nameLength = 255
  /// Parameters of a macro, and named arguments of a call.
  static let argumentCount = 255
  /// Nested brackets, operators and statements in a template.
  static let syntaxDepth = 64
  /// Evaluations, and pieces of work of about their cost, in one rendering.
  static let steps = 50_000_000
  /// Bytes of the output, or of any one string.
  static let textBytes = 16 << 20
  /// Bytes of all the strings, lists and other values made during one rendering, whether still alive or not.
  static let allocatedBytes = 512 << 20
  /// Nested evaluations, macro calls among them.
  static let evaluationDepth = 400
  /// Lists in lists, objects in objects.
  static let valueDepth = 300
  /// As in jinja2's sandbox.
  static let rangeLength = 100_000
}

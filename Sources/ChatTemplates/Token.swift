/// A piece of a template: text outside the tags, the ends of tags, or a word, literal or sign inside one.
struct Token: Equatable {
  enum Kind: Equatable {
    case text(String)
    case blockBegin, blockEnd
    case outputBegin, outputEnd
    case name(String)
    case string(String)
    case integer(Int)
    case double(Double)
    case sign(String)
    case end
  }

  let kind: Kind
  /// 1-based.
  let line: Int

  /// How an error message names the token.
  var name: String {
    switch kind {
    case .text: "text"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .outputBegin: "'{{'"
    case .outputEnd: "'}}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer, .double: "a number"
    case .sign(let sign): "'\(sign)'"
    case .end: "the end of the template"
    }
  }
}

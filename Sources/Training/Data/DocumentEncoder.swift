internal import SwiftletCheckpoints
public import SwiftletJSON
internal import SwiftletTokenization

/// Turns conversations into the text that a model sees.
public struct ConversationFormat: Sendable {
  /// Tells formats apart: two of the same name render alike. A checksum of a template will do.
  public let name: String
  let render: @Sendable (_ messages: JSONValue, _ tools: JSONValue?, _ opensAnswer: Bool) throws -> String

  /// - Parameter render: gets the messages, the tools, and whether the text ends where the next answer begins, as chat templates do.
  public init(
    name: String, render: @escaping @Sendable (_ messages: JSONValue, _ tools: JSONValue?, _ opensAnswer: Bool) throws -> String
  ) {
    self.name = name
    self.render = render
  }
}

/// A document as tokens.
struct EncodedDocument: Sendable {
  var tokens: [Int32] = []
  /// By token: whether a model is trained to predict it. Empty when it is for all of them.
  var isTarget: [Bool] = []
  var isHeldOut = false
}

/// Makes tokens of documents, the same ones on every thread and in every run.
struct DocumentEncoder: Sendable {
  let tokenizer: Tokenizer
  let fillInMiddle: FillInMiddleTransform?
  let conversations: ConversationFormat?
  /// The share of documents that are set aside.
  let heldOutFraction: Double
  /// Documents of more tokens are errors; nil for no limit.
  let maximumTokens: Int?
  private let end: Int32

  init(
    _ tokenizer: Tokenizer, endOfSequence: Int32? = nil, fillInMiddle: FillInMiddleTransform?, conversations: ConversationFormat?,
    heldOutFraction: Double, maximumTokens: Int? = nil
  ) throws(DataError) {
    guard let end = endOfSequence ?? tokenizer.endOfSequence, (0..<tokenizer.vocabularySize).contains(Int(end)) else {
      throw DataError(
        .setting, file: "tokenizer",
        reason: "names no token for the end of a sequence, which stands behind every text; name one (--end)")
    }
    guard (0...1).contains(heldOutFraction) else {
      throw DataError(.setting, file: "heldOutFraction", reason: "found \(heldOutFraction), expected 0 to 1")
    }
    if let fillInMiddle {
      guard (0...1).contains(fillInMiddle.rate) else {
        throw DataError(.setting, file: "fillInMiddle.rate", reason: "found \(fillInMiddle.rate), expected 0 to 1")
      }
      let marks = [fillInMiddle.tokens.prefix, fillInMiddle.tokens.suffix, fillInMiddle.tokens.middle]
      guard Set(marks).count == 3, marks.allSatisfy({ (0..<tokenizer.vocabularySize).contains(Int($0)) }) else {
        throw DataError(
          .setting, file: "fillInMiddle.tokens",
          reason: "found \(marks), expected three different ids below \(tokenizer.vocabularySize)")
      }
    }
    self.tokenizer = tokenizer
    self.end = end
    self.fillInMiddle = fillInMiddle
    self.conversations = conversations
    self.heldOutFraction = heldOutFraction
    self.maximumTokens = maximumTokens
  }

  func encode(_ document: Document, _ raw: RawDocument) throws(DataError) -> EncodedDocument {
    var encoded: EncodedDocument
    let hash: UInt64
    switch document {
    case .text(let text):
      hash = Checksum64.of(Array(text.utf8))
      encoded = encode(text, hash)
    case .chat(let messages, let tools):
      hash = Checksum64.of(Array(messages.serialized().utf8))
      encoded = try encode(messages, tools, raw)
    case .completion(let prompt, let completion):
      hash = Checksum64.of(Array((prompt + "\0" + completion).utf8))
      encoded = encode(prompt: prompt, completion: completion)
    }
    if let maximumTokens, encoded.tokens.count > maximumTokens {
      throw DataError(
        .longDocument, file: raw.file.path, line: raw.line,
        reason: "becomes \(encoded.tokens.count) tokens, expected at most \(maximumTokens), the tokens of a sequence")
    }
    // Other bits of the hash than those that choose documents for filling in the middle.
    encoded.isHeldOut = Double(SeededGenerator.mix(hash) >> 11) * 0x1p-53 < heldOutFraction
    return encoded
  }

  /// A document is only text: names of special tokens in it are spelled out.
  private func encode(_ text: String, _ hash: UInt64) -> EncodedDocument {
    var tokens: [Int32] = []
    if let fillInMiddle, let parts = fillInMiddle.parts(of: text, hash: hash) {
      tokens = tokenizer.encode(prefix: String(parts.prefix), suffix: String(parts.suffix), marks: fillInMiddle.tokens)
      tokens += tokenizer.encode(String(parts.middle), addedTokens: .text)
    } else {
      if tokenizer.addsBeginningOfSequence, let beginning = tokenizer.beginningOfSequence { tokens.append(beginning) }
      tokens += tokenizer.encode(text, addedTokens: .text)
    }
    tokens.append(end)
    return EncodedDocument(tokens: tokens)
  }

  /// Only the completion and the end of the sequence are targets. Both parts are tokenised apart, as when a model is asked.
  private func encode(prompt: String, completion: String) -> EncodedDocument {
    var read: [Int32] = []
    if tokenizer.addsBeginningOfSequence, let beginning = tokenizer.beginningOfSequence { read.append(beginning) }
    read += tokenizer.encode(prompt, addedTokens: .text)
    let written = tokenizer.encode(completion, addedTokens: .text) + [end]
    return EncodedDocument(
      tokens: read + written,
      isTarget: Array(repeating: false, count: read.count) + Array(repeating: true, count: written.count))
  }

  /// Only what the assistant says is a target. An answer is what the template puts between the prompt for it and the rest of the whole
  /// conversation; one that the template changes in later turns, as those of reasoning models lose their thoughts, is only read.
  private func encode(_ messages: JSONValue, _ tools: JSONValue?, _ raw: RawDocument) throws(DataError) -> EncodedDocument {
    func failure(_ reason: String) -> DataError { DataError(.conversation, file: raw.file.path, line: raw.line, reason: reason) }
    guard let conversations else {
      throw failure("found a conversation, but there is no chat template to render it; name a model or a template")
    }
    func render(_ messages: ArraySlice<JSONValue>, _ opensAnswer: Bool) throws(DataError) -> [UInt8] {
      do {
        return Array(try conversations.render(.array(Array(messages)), tools, opensAnswer).utf8)
      } catch {
        throw failure("\(error)")
      }
    }
    let all = messages.elements ?? []
    let whole = try render(all[...], false)
    var encoded = EncodedDocument()
    func add(_ bytes: ArraySlice<UInt8>, isTarget: Bool) {
      let tokens = tokenizer.encode(utf8: bytes)
      encoded.tokens += tokens
      encoded.isTarget += repeatElement(isTarget, count: tokens.count)
    }
    // Every answer renders all before it: more than this takes hours.
    var done = 0, left = 1 << 30
    for (index, message) in all.enumerated() where message["role"]?.string == "assistant" {
      let prompt = try render(all[..<index], true), answered = try render(all[...index], false)
      left -= prompt.count + answered.count + 64 * index
      guard left > 0 else {
        throw failure("has too many turns: what is before each answer is more than 1 GiB of text")
      }
      guard prompt.count >= done, whole.starts(with: answered), answered.starts(with: prompt) else { continue }
      add(whole[done..<prompt.count], isTarget: false)
      add(whole[prompt.count..<answered.count], isTarget: true)
      done = answered.count
    }
    guard done > 0 else { throw failure("has no answer of an assistant that the template renders as it would be generated") }
    add(whole[done...], isTarget: false)
    return encoded
  }
}

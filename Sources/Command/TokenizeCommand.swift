import ArgumentParser
import Foundation
import SwiftletGeneration
import SwiftletHub
import SwiftletJSON
import SwiftletTokenization

struct TokenizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Turns text into token ids, and back.",
    discussion: """
      Reads standard input line by line; lines end at a line feed only. Adds no
      beginning or end of sequence, and recognises special tokens in the text. A
      folder needs no more than tokenizer.json, which may also be named itself.

      EXAMPLES
        echo "Hello" | swiftlet tokenize smollm2 --json
        echo "[19556]" | swiftlet tokenize smollm2 --decode
        swiftlet tokenize smollm2 --chat messages.json

      ENVIRONMENT
      \(HelpText.hub)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Flag(help: "Prints a JSON array of ids a line; else ids and the text of each.")
  var json = false
  @Flag(help: "Reads arrays of ids, writes their texts as they are.")
  var decode = false
  @Option(
    help: ArgumentHelp(
      "Renders the messages of this JSON file with the chat template; prints the text and its ids. A `-` reads standard input.",
      valueName: "file"))
  var chat: String?
  @Flag(help: "With --chat: leaves out the start of the assistant's answer.")
  var noGenerationPrompt = false
  @OptionGroup var template: TemplateArguments

  func validate() throws {
    if chat != nil, decode { throw ValidationError("--chat and --decode exclude each other.") }
    if decode, json { throw ValidationError("--decode writes texts as they are; leave --json out.") }
    if template.template != nil, chat == nil { throw ValidationError("--template goes with --chat.") }
    if noGenerationPrompt, chat == nil { throw ValidationError("--no-generation-prompt goes with --chat.") }
  }

  func run() async throws {
    let path = try await ModelFinder.path(model)
    let tokenizer = try LoadedModel.tokenizer(path: path)
    if let chat {
      try render(chat, path, tokenizer)
    } else if decode {
      var number = 0
      try StandardInput.forEachLines { lines in
        var texts = ""
        for line in lines {
          number += 1
          do {
            texts += try tokenizer.decode(ids(line, tokenizer.vocabularySize)) + "\n"
          } catch {
            Output.write(untrusted: texts)
            throw CommandError("line \(number): \(error)")
          }
        }
        Output.write(untrusted: texts)
      }
    } else {
      try StandardInput.forEachLines { lines in
        var output: [UInt8] = []
        for line in lines { describe(tokenizer.encode(utf8: line), tokenizer, into: &output) }
        Output.write(output)
      }
    }
  }

  /// Bytes and no strings: a string for every id would take longer than the encoding.
  private func describe(_ ids: [Int32], _ tokenizer: Tokenizer, into output: inout [UInt8]) {
    guard json else {
      for id in ids { output += "\(id) \(String(reflecting: tokenizer.decode([id])))\n".utf8 }
      return
    }
    output.append(UInt8(ascii: "["))
    for (index, id) in ids.enumerated() {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      output.append(decimal: id)
    }
    output.append(UInt8(ascii: "]"))
    output.append(0x0A)
  }

  private func ids(_ line: ArraySlice<UInt8>, _ vocabularySize: Int) throws -> [Int32] {
    let value = try JSONValue(parsing: Array(line))
    guard let elements = value.elements else {
      throw CommandError("found a JSON \(value.typeName), expected an array of ids")
    }
    return try elements.map { element in
      guard let id = element.integer.flatMap({ Int32(exactly: $0) }), (0..<vocabularySize).contains(Int(id)) else {
        throw CommandError("found \(element.serialized().prefix(40)), expected ids below \(vocabularySize)")
      }
      return id
    }
  }

  private func render(_ file: String, _ path: String, _ tokenizer: Tokenizer) throws {
    let data = try file == "-" ? StandardInput.all() : InputFile.bytes(file)
    let value: JSONValue
    do {
      value = try JSONValue(parsing: data)
    } catch {
      throw CommandError("\(file): \(error)")
    }
    guard let source = try template.source ?? LoadedModel.template(path: path) else {
      throw CommandError("\(path) has no chat template.")
    }
    // The file is an array of messages, or an object as clients send it, with tools and what else the template reads.
    let messages = value["messages"] ?? value
    let extra = (value.members ?? []).filter { $0.key != "messages" && $0.key != "tools" }
    let text = try ChatPrompt(source, tokenizer: tokenizer).render(
      messages, tools: value["tools"], addGenerationPrompt: !noGenerationPrompt, extra: extra)
    let ids = tokenizer.encode(text)
    Output.line(["text": .string(text), "ids": .array(ids.map { .integer(Int($0)) })])
  }
}

extension [UInt8] {
  /// Appends the decimal digits of a number that is not negative.
  fileprivate mutating func append(decimal number: Int32) {
    var divisor: Int32 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
      divisor /= 10
    }
  }
}

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
      Reads standard input line by line; lines end at a line feed only. Adds no beginning or end of sequence, and recognises special \
      tokens in the text. A folder needs no more than tokenizer.json.

      EXAMPLES
        echo "Hello" | swiftlet tokenize smollm2 --json
        echo "[19556]" | swiftlet tokenize smollm2 --decode
        swiftlet tokenize smollm2 --chat messages.json

      ENVIRONMENT
        HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE
      """)

  @Argument(help: "An alias, org/repo[:quant], or a path.")
  var model: String
  @Flag(help: "Prints a JSON array of ids a line; else ids and the text of each.")
  var json = false
  @Flag(help: "Reads arrays of ids, writes their texts.")
  var decode = false
  @Option(
    help:
      "Renders the messages of this JSON file with the chat template; prints the text and its ids. A `-` reads standard input.")
  var chat: String?
  @Flag(help: "With --chat: leaves out the start of the assistant's answer.")
  var noGenerationPrompt = false

  func run() async throws {
    let path = try await ModelFinder.path(model)
    let tokenizer = try LoadedModel.tokenizer(path: path)
    if let chat {
      try render(chat, path, tokenizer)
    } else if decode {
      try forEachLine { line in
        let value = try JSONValue(parsing: line)
        guard let elements = value.elements else {
          throw ValidationError("Found a JSON \(value.typeName), expected an array of ids.")
        }
        let ids = try elements.map { element in
          guard let id = element.integer.flatMap({ Int32(exactly: $0) }), (0..<Int32(tokenizer.vocabularySize)).contains(id)
          else {
            throw ValidationError("Found \(element.serialized().prefix(40)), expected ids below \(tokenizer.vocabularySize).")
          }
          return id
        }
        Output.write(tokenizer.decode(ids) + "\n")
      }
    } else {
      var buffer = ""
      try forEachLine { line in
        let ids = tokenizer.encode(utf8: line)
        if json {
          buffer += "[" + ids.map(String.init).joined(separator: ",") + "]\n"
        } else {
          buffer += ids.map { "\($0) \(String(reflecting: tokenizer.decode([$0])))\n" }.joined()
        }
        if buffer.utf8.count > 1 << 16 {
          Output.write(buffer)
          buffer = ""
        }
      }
      Output.write(buffer)
    }
  }

  /// The lines of standard input as they come, without their line feed; a last line without one counts.
  private func forEachLine(_ body: ([UInt8]) throws -> Void) throws {
    var pending: [UInt8] = []
    while true {
      let data = FileHandle.standardInput.availableData
      if data.isEmpty { break }
      var rest = data[...]
      while let end = rest.firstIndex(of: 0x0A) {
        pending += rest[..<end]
        try body(pending)
        pending.removeAll(keepingCapacity: true)
        rest = rest[(end + 1)...]
      }
      pending += rest
    }
    if !pending.isEmpty { try body(pending) }
  }

  private func render(_ file: String, _ path: String, _ tokenizer: Tokenizer) throws {
    let data = file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
    guard let data else { throw ValidationError("\(file) cannot be read.") }
    let value: JSONValue
    do {
      value = try JSONValue(parsing: Array(data))
    } catch {
      throw ValidationError("\(file): \(error)")
    }
    guard let source = try LoadedModel.template(path: path) else { throw ValidationError("\(path) has no chat template.") }
    // The file is an array of messages, or an object as clients send it, with tools and what else the template reads.
    let messages = value["messages"] ?? value
    let extra = (value.members ?? []).filter { $0.key != "messages" && $0.key != "tools" }
    let text = try ChatPrompt(source: source, tokenizer: tokenizer).render(
      messages, tools: value["tools"], addGenerationPrompt: !noGenerationPrompt, extra: extra)
    let ids = tokenizer.encode(text)
    Output.line(["text": .string(text), "ids": .array(ids.map { .integer(Int($0)) })])
  }
}

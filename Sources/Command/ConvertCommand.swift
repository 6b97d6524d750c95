import ArgumentParser
import Foundation
import SwiftletConversion
import SwiftletHub
import SwiftletJSON

struct ConvertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Writes a model as a GGUF file or as a folder of safetensors.",
    discussion: """
      A GGUF file gets the names, types and metadata that llama.cpp's own tools
      give it. Ctrl-C or SIGTERM leaves nothing behind.

      EXAMPLES
        swiftlet convert model/ --to gguf --type q4_k_m --output model.gguf
        swiftlet convert model.gguf --to safetensors --output model/

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable {
    case gguf
    case safetensors
  }

  @Argument(help: ArgumentHelp("An alias, org/repo[:quant], or the path of a GGUF file or folder.", valueName: "source"))
  var model: String
  @Option(help: ArgumentHelp("The form to write: gguf or safetensors.", valueName: "form"))
  var to: Form
  @Option(
    help: ArgumentHelp(
      "The weights' type: f32, f16, bf16, and for gguf q8_0, q4_0 or q4_k_m (default: for gguf f16, for safetensors their own).",
      valueName: "type"))
  var type: String?
  @Option(help: ArgumentHelp("The GGUF file or folder to write.", valueName: "path"))
  var output: String
  @Flag(help: "Replaces what is there.")
  var force = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var threading: ThreadArguments

  private var target: Conversion.Target {
    get throws {
      let types = GGUFType.allCases.filter { to == .gguf || ["f32", "f16", "bf16"].contains($0.rawValue) }
      guard let type else { return to == .gguf ? .gguf(.f16) : .safetensors(nil) }
      guard let known = types.first(where: { $0.rawValue == type.lowercased() }) else {
        throw ValidationError(
          "--type: found '\(type)', expected \(types.map(\.rawValue).joined(separator: ", ")) for \(to.rawValue).")
      }
      return to == .gguf ? .gguf(known) : .safetensors(known)
    }
  }

  func validate() throws {
    _ = try target
    if output.isEmpty { throw ValidationError("--output: is empty, expected the name of a file or folder.") }
  }

  func run() async throws {
    let threadCount = try threading.checkedThreadCount(), target = try target
    let source = try await ModelFinder.path(model)
    let (output, force) = (output, force)
    let start = ContinuousClock.now
    let summary = try await Interrupt.cancelling(onTermination: true) {
      try Conversion(source: source, target: target, output: output, isReplacing: force, threadCount: threadCount)
        .runShowingProgress(of: output)
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    if json {
      let types = summary.types.map { JSONMember(key: $0.name, value: .integer($0.count)) }
      Output.line([
        "output": .string(summary.path), "bytes": .integer(summary.byteCount), "types": .object(types),
        "notes": .array(summary.notes.map { .string($0) }), "seconds": .number(seconds),
      ])
    } else {
      for note in summary.notes { Output.note(note) }
      let types = summary.types.map { "\($0.name) ×\($0.count)" }.joined(separator: ", ")
      Output.write("\(summary.path)  \(ByteCount.text(summary.byteCount))  \(types)\n")
    }
  }
}

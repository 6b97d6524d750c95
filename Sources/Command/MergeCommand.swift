import ArgumentParser
import Foundation
import SwiftletConversion
import SwiftletHub
import SwiftletJSON

struct MergeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Adds adapters (LoRA) to a model's weights, and writes the result.",
    discussion: """
      The adapter is a folder with adapter_config.json and adapter_model.safetensors,
      of 'swiftlet train' or of the Python package peft. The result is a folder of
      safetensors that every command here, and transformers, loads.

      EXAMPLES
        swiftlet merge smollm2 runs/sections-lora/adapter merged/
        swiftlet run merged/ "Hello"

      ENVIRONMENT
      \(HelpText.threads)
      \(HelpText.kernels)
      \(HelpText.hub)
      """)

  @Argument(help: ArgumentHelp("An alias, org/repo[:quant], or the path of a GGUF file or folder.", valueName: "model"))
  var model: String
  @Argument(help: ArgumentHelp("The adapter's folder.", valueName: "adapter"))
  var adapter: String
  @Argument(help: ArgumentHelp("The folder to write.", valueName: "out"))
  var output: String
  @Option(
    help: ArgumentHelp(
      "The weights' type: f32, f16 or bf16 (default: their own, of quantised ones f16).", valueName: "type"))
  var type: String?
  @Flag(help: "Replaces what is there.")
  var force = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var threading: ThreadArguments

  private var storedType: GGUFType? {
    get throws {
      guard let type else { return nil }
      let types = GGUFType.allCases.filter { ["f32", "f16", "bf16"].contains($0.rawValue) }
      guard let known = types.first(where: { $0.rawValue == type.lowercased() }) else {
        throw ValidationError("--type: found '\(type)', expected \(types.map(\.rawValue).joined(separator: ", ")).")
      }
      return known
    }
  }

  func validate() throws {
    _ = try storedType
    if output.isEmpty { throw ValidationError("out: is empty, expected the name of a folder.") }
  }

  func run() async throws {
    let threadCount = try threading.checkedThreadCount(), type = try storedType
    let source = try await ModelFinder.path(model)
    let (output, force, folder) = (output, force, adapter)
    let summary = try await Interrupt.cancelling(onTermination: true) {
      try Conversion(
        source: source, adapter: AdapterFolder(path: folder), target: .safetensors(type), output: output, isReplacing: force,
        threadCount: threadCount
      ).runShowingProgress(of: output)
    }
    if json {
      let types = summary.types.map { JSONMember(key: $0.name, value: .integer($0.count)) }
      Output.line([
        "output": .string(summary.path), "bytes": .integer(summary.byteCount), "types": .object(types),
        "notes": .array(summary.notes.map { .string($0) }),
      ])
    } else {
      for note in summary.notes { Output.note(note) }
      Output.write("\(summary.path)  \(ByteCount.text(summary.byteCount))\n")
    }
  }
}

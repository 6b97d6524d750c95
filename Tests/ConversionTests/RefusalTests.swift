import Foundation
import SwiftletCheckpoints
import SwiftletConversion
import SwiftletTensors
import SwiftletTestSupport
import SwiftletTokenization
import Testing

/// What cannot be converted is refused by name, and neither errors nor cancelling leave anything behind.
@Suite struct RefusalTests {
  private let folder: TemporaryFolder
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    model = try Fixtures.model("qwen2-untied", in: folder.path)
  }

  private func failure(
    _ source: String? = nil, _ target: Conversion.Target = .gguf(.f16), to name: String = "out.gguf", isReplacing: Bool = false
  ) -> String {
    do {
      _ = try Fixtures.convert(source ?? model, target, to: folder.path + "/" + name, isReplacing: isReplacing)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  private var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }

  @Test func outputsThatAreThere() throws {
    try folder.write("mine", to: "out.gguf")
    #expect(failure().contains("is there already"))
    #expect(try folder.read("out.gguf") == "mine")
    #expect(failure(isReplacing: true) == "no error")
    #expect(try GGUFFile(path: folder.path + "/out.gguf").tensors.count == 27)
    #expect(failure(.none, .safetensors(nil), to: "out.gguf", isReplacing: true).contains("is a file"))
    #expect(failure(to: "qwen2-untied", isReplacing: true).contains("is the source itself"))
    #expect(failure(to: "qwen2-untied/config.json", isReplacing: true).contains("is a file of the source"))
    #expect(failure(folder.path + "/out.gguf", .gguf(.f32), to: "out.gguf", isReplacing: true).contains("is the source itself"))
    try FileManager.default.createDirectory(atPath: folder.path + "/photos", withIntermediateDirectories: true)
    #expect(failure(.none, .safetensors(nil), to: "photos", isReplacing: true).contains("without config.json"))
    #expect(failure(to: "missing/out.gguf").contains("missing"))
    #expect(names == ["out.gguf", "photos", "qwen2-untied"])
  }

  @Test func aDiskThatIsTooSmall() throws {
    let error = #expect(throws: CheckpointError.self) { try DiskSpace.require(1 << 60, for: folder.path + "/out.gguf") }
    #expect(error?.reason.contains("1152921504606846976 bytes") == true && error?.reason.contains("free") == true)
    try DiskSpace.require(1, for: folder.path + "/out.gguf")
  }

  @Test func tokenizersThatNoFileCanHold() throws {
    let path = model + "/tokenizer.json"
    let text = try folder.read("qwen2-untied/tokenizer.json")
    try folder.write(text.replacing(#"\\p{N}|"#, with: #"\\p{N}{1,2}|"#), to: "qwen2-untied/tokenizer.json")
    #expect(failure().contains("pre_tokenizer"))
    try FileManager.default.removeItem(atPath: path)
    #expect(failure().contains("tokenizer.json: is missing"))
    #expect(failure(.none, .safetensors(nil), to: "copy") == "no error")
    #expect(names == ["copy", "qwen2-untied"])
  }

  @Test func weightsThatAreMissingOrWrong() throws {
    let original = try SafetensorsFile(path: model + "/model.safetensors")
    func write(_ change: (String, Tensor) -> (String, Tensor)?) throws {
      let tensors = original.tensors.compactMap { change($0.name, $0.tensor) }.map { (name: $0.0, tensor: $0.1) }
      // Mapped files stay as they are when another takes their name.
      try SafetensorsWriter.write(tensors, to: model + "/model.safetensors")
    }
    let name = "model.layers.1.mlp.up_proj.weight"
    try write { $0 == name ? nil : ($0, $1) }
    #expect(failure().contains("\(name): the tensor is missing, expected one of shape [44, 40]"))
    try write { $0 == name ? ($0, Tensor(zeros: [40, 44])) : ($0, $1) }
    #expect(failure().contains("\(name): found shape [40, 44], expected [44, 40]"))
    try write { $0 == name ? ("model.layers.1.mlp.sideways.weight", $1) : ($0, $1) }
    #expect(failure().contains(name))
    for value in [Float.nan, .infinity] {
      try write { found, tensor in
        guard found == name else { return (found, tensor) }
        var values = tensor.floatArray()
        values[1000] = value
        return (found, Tensor(values, shape: tensor.shape))
      }
      for type in [GGUFType.f32, .f16, .q8_0] {
        #expect(failure(.none, .gguf(type)).contains("blk.1.ffn_up.weight: has a value"))
      }
      #expect(failure(.none, .safetensors(nil), to: "copy").contains("\(name): has a value"))
    }
    // A value that F16 cannot hold.
    try write { found, tensor in
      found == name ? (found, Tensor(tensor.floatArray().map { $0 * 1e6 }, shape: tensor.shape)) : (found, tensor)
    }
    #expect(failure().contains("does not fit F16"))
    #expect(failure(.none, .gguf(.bf16)) == "no error")
    #expect(names == ["out.gguf", "qwen2-untied"])
  }

  @Test func expertsThatAreTooMany() throws {
    let source = try GGUFFile(path: TinyModels.gguf("deepseek-v3")), name = "blk.1.ffn_up_exps.weight"
    let tensors = source.tensors.map { entry in
      (name: entry.name, tensor: entry.name == name ? Tensor(zeros: [9, 10, 40]) : entry.tensor)
    }
    let path = folder.path + "/experts.gguf"
    let writer = try GGUFWriter(
      path: path, metadata: source.encodedMetadata,
      tensors: tensors.map { .init(name: $0.name, shape: $0.tensor.shape.array, type: $0.tensor.type) })
    for (_, tensor) in tensors { try writer.append(tensor.bytes) }
    try writer.finish()
    let error = failure(path, .safetensors(nil), to: "copy")
    #expect(error.contains("\(name): found shape [9, 10, 40], expected three dimensions, the first of the 8 experts"))
  }

  @Test func typesThatAreNotThere() throws {
    #expect(failure(.none, .safetensors(.q8_0), to: "copy").contains("safetensors have no quantised types"))
    let other = TinyModels.gguf("../../../CheckpointsTests/Fixtures/other-type")
    #expect(failure(other).contains("cannot be read"))
    #expect(failure(other, .safetensors(nil), to: "copy").contains("cannot be read") == true)
    #expect(failure(folder.path + "/nothing").contains("nothing"))
    #expect(names == ["qwen2-untied"])
  }

  /// Ctrl-C cancels the task.
  @Test(arguments: [false, true]) func cancellingLeavesNothing(toFolder: Bool) async throws {
    let source = model, output = folder.path + "/out"
    let task = Task {
      let target = toFolder ? Conversion.Target.safetensors(.f16) : .gguf(.q8_0)
      let conversion = try Conversion(source: source, target: target, output: output, threadCount: 2)
      var pieces = 0
      _ = try conversion.run { _ in
        pieces += 1
        if pieces == 9 { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(names == ["qwen2-untied"])
  }
}

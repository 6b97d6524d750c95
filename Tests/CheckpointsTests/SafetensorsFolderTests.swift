import SwiftletCheckpoints
import SwiftletJSON
import SwiftletTensors
import Testing

@Suite struct SafetensorsFolderTests {
  /// Two shards with one tensor each, and an index over them.
  private func shards() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (file, name, value) in [("a", "first", Float(1)), ("b", "second", 2)] {
      try SafetensorsWriter.write([(name, Tensor([value], shape: [1]))], to: folder.path("\(file).safetensors"))
    }
    try writeIndex(["first": "a.safetensors", "second": "b.safetensors"], in: folder)
    return folder
  }

  private func writeIndex(_ map: JSONValue, in folder: TemporaryFolder) throws {
    try folder.write(["metadata": [:], "weight_map": map], as: "model.safetensors.index.json")
  }

  private func open(_ folder: TemporaryFolder) throws -> CheckpointError {
    try #require(failure { _ = try SafetensorsFolder(path: folder.url.path) })
  }

  @Test func shardsAreOneSetOfTensors() throws {
    let folder = try shards()
    let opened = try SafetensorsFolder(path: folder.url.path)
    #expect(opened.tensors.map(\.name) == ["first", "second"])
    #expect(opened.tensor(named: "second")?.floatArray() == [2])
    #expect(opened.tensor(named: "third") == nil)
  }

  @Test func typesThatAreNotComputedWithAreTold() throws {
    let folder = try TemporaryFolder()
    try folder.write(try Fixtures.bytes("tensors.safetensors"), as: "model.safetensors")
    let opened = try SafetensorsFolder(path: folder.url.path)
    #expect(opened.unreadTensor(named: "float8")?.type == "F8_E4M3 without weight_scale_inv")
    #expect(opened.unreadTensor(named: "float32") == nil)
    #expect(opened.tensor(named: "float8") == nil)
  }

  @Test func folderWithoutWeightsIsRefused() throws {
    let folder = try TemporaryFolder()
    let error = try open(folder)
    #expect(error.file == folder.url.path)
    #expect(error.reason.contains("neither model.safetensors nor model.safetensors.index.json"))
  }

  @Test func missingShardIsNamed() throws {
    let folder = try shards()
    try writeIndex(["first": "a.safetensors", "second": "c.safetensors"], in: folder)
    let error = try open(folder)
    #expect(error.file.hasSuffix("c.safetensors"))
    #expect(error.reason.contains("cannot be opened"))
  }

  @Test(arguments: ["../a.safetensors", "/etc/a.safetensors", "..", "", "a.bin", "x/a.safetensors"])
  func namesOutsideTheFolderAreRefused(_ name: String) throws {
    let folder = try shards()
    try writeIndex(["first": "a.safetensors", "second": .string(name)], in: folder)
    let error = try open(folder)
    #expect(error.file.hasSuffix("model.safetensors.index.json"))
    #expect(error.field == "weight_map.second")
    #expect(error.reason.contains("same folder"))
  }

  @Test func promisedTensorThatIsMissingIsNamed() throws {
    let folder = try shards()
    try writeIndex(["first": "a.safetensors", "second": "b.safetensors", "third": "b.safetensors"], in: folder)
    let error = try open(folder)
    #expect(error.field == "third")
    #expect(error.reason.contains("b.safetensors") && error.reason.contains("lacks it"))
  }

  @Test func tensorInTwoShardsIsRefused() throws {
    let folder = try shards()
    try SafetensorsWriter.write([("first", Tensor([3], shape: [1]))], to: folder.path("b.safetensors"))
    let error = try open(folder)
    #expect(error.field == "first" && error.reason.contains("two shards"))
  }

  @Test(arguments: ["{}", "[]", #"{"weight_map": {}}"#, #"{"weight_map": 3}"#, #"{"weight_map": {"a": 3}}"#])
  func indexWithoutMapIsRefused(_ text: String) throws {
    let folder = try shards()
    try folder.write(text.utf8, as: "model.safetensors.index.json")
    #expect(try open(folder).field.hasPrefix("weight_map"))
  }

  @Test func brokenIndexIsRefused() throws {
    let folder = try shards()
    try folder.write("{\"weight_map\": ".utf8, as: "model.safetensors.index.json")
    let error = try open(folder)
    #expect(error.field == "JSON" && error.reason.contains("line 1"))
  }
}

import Foundation
import Testing

@testable import SwiftletHub
@testable import SwiftletTestSupport

@Suite struct ReferenceTests {
  @Test(arguments: [
    ("org/repo", "org/repo", "main", nil), ("org/repo:Q8_0", "org/repo", "main", "Q8_0"),
    ("org/re.po_1@v1.0:q4_k_m", "org/re.po_1", "v1.0", "q4_k_m"), ("hf.co/org/repo", "org/repo", "main", nil),
    ("https://huggingface.co/org/repo:F16", "org/repo", "main", "F16"), ("org/repo@refs/pr/1", "org/repo", "refs/pr/1", nil),
  ])
  func readsRepositories(text: String, repository: String, revision: String, quantization: String?) throws {
    let expected = RepositoryReference(repository: repository, revision: revision, quantization: quantization)
    #expect(try ModelReference(text) == .repository(expected))
    #expect(try ModelReference(expected.description) == .repository(expected))
  }

  @Test(arguments: [
    "", "nothing", "org/repo/file", "org/", "/org/repo", "org/..", "../org", "org/repo:", "org/repo:a b", "org/repo@",
    "org/repo@../x",
    "org/re po", "org/repo\0", "-org/repo", "org/a--b", "http://org/repo", "~/nothing/at/all", "missing.gguf", "./missing",
  ])
  func refusesOthers(text: String) {
    #expect(throws: HubError.self) { try ModelReference(text) }
  }

  @Test func readsAliases() throws {
    #expect(
      try ModelReference("deepseek-r1:1.5b")
        == .repository(RepositoryReference(repository: "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF", quantization: "Q4_K_M")))
    #expect(try ModelReference("SmolLM2") == .wheel(.smolLM2))
    if EmbeddedModel.isPresent { #expect(try ModelReference("reasoner") == .embedded) }
    for alias in ModelAlias.all { #expect(try ModelReference(alias.reference.description) == alias.reference) }
  }

  @Test(arguments: [
    ("deepseek-r1:3b", "deepseek-r1:1.5b"), ("deepseek", "deepseek-r1:1.5b"), ("smolm2", "smollm2"),
    ("deepsek-v2-lite", "deepseek-v2-lite"),
  ])
  func suggestsTheNearest(text: String, expected: String) throws {
    let error = #expect(throws: HubError.self) { try ModelReference(text) }
    guard case .invalidReference(_, _, let suggestions)? = error else { return #expect(Bool(false)) }
    #expect(suggestions.contains(expected))
    #expect(ModelAlias.nearest(to: "something-else-entirely").isEmpty)
    #expect(ModelAlias.nearest(to: String(repeating: "deepseek", count: 100_000)).isEmpty)
  }

  @Test func readsPaths() throws {
    let scene = try Scene()
    let file = scene.path("model.gguf")
    #expect(throws: HubError.pathNotFound(file)) { try ModelReference(file) }
    try Data([1]).write(to: URL(fileURLWithPath: file))
    #expect(try ModelReference(file) == .path(file))
    #expect(try scene.hub().installedModel(.path(file)).files == .gguf([file]))
    #expect(try scene.hub().installedModel(.path(scene.home)).files == .gguf([file]))
    // A repository of GGUF files brings more along; with weights of its own the folder is the model.
    for name in ["tokenizer.json", "config.json"] {
      try Data("{}".utf8).write(to: URL(fileURLWithPath: scene.path(name)))
      #expect(try scene.hub().installedModel(.path(scene.home)).files == .gguf([file]))
    }
    try Data([1]).write(to: URL(fileURLWithPath: scene.path("model.safetensors")))
    #expect(try scene.hub().installedModel(.path(scene.home)).files == .folder(scene.home))
    for name in ["model.gguf", "model.safetensors"] { try FileSystem.remove(scene.path(name)) }
    #expect(try scene.hub().installedModel(.path(scene.home)).files == .folder(scene.home))
    let empty = scene.path("empty")
    try FileSystem.makeFolder(empty)
    #expect(throws: HubError.noModelFiles(place: empty, found: [])) { try scene.hub().installedModel(.path(empty)) }
  }
}

@Suite struct ModelFilesTests {
  @Test(arguments: [
    ("DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf", "Q4_K_M"), ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
    ("qwen2.5-0.5b-instruct-q8_0.gguf", "Q8_0"), ("Model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"), ("model_q5_0.gguf", "Q5_0"),
    ("BF16/Model.BF16.gguf", "BF16"), ("Q6_K/model.gguf", "Q6_K"), ("Model-IQ4_XS.gguf", "IQ4_XS"), ("model.gguf", "MODEL"),
    ("Qwen3-Q8-chat.gguf", "Q8"), ("model-f16.gguf", "F16"),
  ])
  func readsTheQuantization(name: String, expected: String) {
    #expect(ModelFiles.quantization(ofFile: name) == expected)
  }

  @Test func prefersFourBits() throws {
    func choice(_ names: [String], _ quantization: String? = nil) throws -> String? {
      try ModelFiles.select(from: names.map { "m-\($0).gguf" } + ["README.md"], quantization: quantization, place: "here")
        .quantization
    }
    #expect(try choice(["Q2_K", "Q8_0", "Q4_K_M", "Q4_0"]) == "Q4_K_M")
    #expect(try choice(["Q2_K", "Q8_0", "Q4_0"]) == "Q4_0")
    #expect(try choice(["Q2_K", "F16"]) == "F16")
    #expect(try choice(["Q2_K"]) == "Q2_K")
    #expect(try choice(["Q2_K", "Q4_K_M"], "q2_k") == "Q2_K")
    #expect(try choice(["Q2_K", "Q4_K_M"], "m-Q2_K.gguf") == "Q2_K")
    #expect(try choice(["UD-Q4_K_XL", "Q2_K"], "Q4_K_XL") == "UD-Q4_K_XL")
    #expect(throws: HubError.quantizationNotFound("Q4_K", place: "here", available: ["Q4_K_M", "Q4_K_S"])) {
      try choice(["Q4_K_M", "Q4_K_S"], "Q4_K")
    }
  }

  @Test func leavesOutWhatIsNoModel() throws {
    let paths = ["mmproj-Q4_K_M.gguf", "imatrix.gguf", "pytorch_model.bin", "config.json"]
    #expect(throws: HubError.noModelFiles(place: "here", found: paths)) {
      try ModelFiles.select(from: paths, quantization: nil, place: "here")
    }
  }

  @Test func groupsSplits() throws {
    let parts = (1...3).map { "q/M-Q4_K_M-0000\($0)-of-00003.gguf" }
    let others = ["M-Q8_0-00001-of-00002.gguf", "model-00001-of-00000.gguf", "model-00002-of-00001.gguf"]
    let variants = ModelFiles.ggufVariants(in: parts.reversed() + others)
    #expect(variants.count == 4)
    #expect(variants.first { $0.quantization == "Q4_K_M" }?.paths == parts)
    #expect(throws: HubError.incompleteSplit(file: others[0], missing: ["M-Q8_0-00002-of-00002.gguf"])) {
      try ModelFiles.select(from: parts + others, quantization: "Q8_0", place: "here")
    }
    #expect(SplitName("model-00001-of-999999.gguf") == nil)
    #expect(SplitName("model-00002-of-000163.safetensors")?.name(163) == "model-00163-of-000163.safetensors")
  }

  @Test func wantsAllShards() throws {
    let shards = (1...2).map { "model-0000\($0)-of-00002.safetensors" }
    let rest = ["config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json", "tf_model.h5"]
    let model = try ModelFiles.select(from: rest + shards, quantization: nil, place: "here")
    #expect(model.format == .safetensors && Set(model.paths) == Set(rest.dropLast() + shards))
    #expect(throws: HubError.incompleteSplit(file: "config.json", missing: [shards[1]])) {
      try ModelFiles.select(from: rest + [shards[0]], quantization: nil, place: "here")
    }
    #expect(throws: HubError.self) { try ModelFiles.select(from: rest, quantization: nil, place: "here") }
  }
}

@Suite struct ConfigurationTests {
  @Test func readsTheEnvironment() throws {
    let plain = HubConfiguration(environment: ["HOME": "/home/me"])
    #expect(plain.home == "/home/me/.cache/huggingface" && plain.cache == "/home/me/.cache/huggingface/hub")
    #expect(plain.endpoint == "https://huggingface.co" && plain.token == nil && !plain.isOffline)
    let cache = HubConfiguration(environment: ["HOME": "/home/me", "XDG_CACHE_HOME": "/x", "HF_HUB_OFFLINE": "0", "HF_TOKEN": ""])
    #expect(cache.home == "/x/huggingface" && !cache.isOffline && cache.token == nil)
    let all = HubConfiguration(environment: [
      "HOME": "/home/me", "HF_HOME": "~/hf", "HF_HUB_CACHE": "/data/hub", "HF_TOKEN": " t\n",
      "HF_ENDPOINT": "http://127.0.0.1:1//",
      "HF_HUB_OFFLINE": "TRUE", "XDG_CACHE_HOME": "/x",
    ])
    #expect(all.home == "/home/me/hf" && all.cache == "/data/hub" && all.ownFolder == "/home/me/hf/swiftlet")
    #expect(all.token == "t" && all.endpoint == "http://127.0.0.1:1" && all.isOffline)
  }

  @Test func readsTheTokenFile() throws {
    let scene = try Scene()
    try Data("hf_file\n".utf8).write(to: URL(fileURLWithPath: scene.path("token")))
    #expect(HubConfiguration(environment: ["HF_HOME": scene.home]).token == "hf_file")
    let elsewhere = HubConfiguration(environment: ["HF_HOME": "/none", "HF_TOKEN_PATH": scene.path("token")])
    #expect(elsewhere.token == "hf_file")
    #expect(HubConfiguration(environment: ["HUGGINGFACE_HUB_CACHE": "/old"]).cache == "/old")
    #expect(HubConfiguration(environment: ["HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new"]).cache == "/new")
    #expect(HubConfiguration(environment: ["HF_HOME": scene.home, "HF_TOKEN": "hf_variable"]).token == "hf_variable")
  }
}

@Suite struct ProgressTests {
  @Test func formatsALine() {
    var progress = DownloadProgress(file: "name", completedBytes: 44_100_000, totalBytes: 98_362_432, bytesPerSecond: 12_345_678)
    progress.completedBytes = 44_300_000
    #expect(progress.description == "name  45% 44.3 MB / 98.4 MB  12.3 MB/s  ETA 0:05")
    progress.fileCount = 3
    progress.bytesPerSecond = nil
    #expect(progress.description == "name (1/3)  45% 44.3 MB / 98.4 MB")
    progress.file = String(repeating: "a", count: 40) + "-Q4_K_M.gguf"
    #expect(progress.line(width: 60).count == 60)
    #expect(progress.line(width: 60).contains("_M.gguf (1/3)"))
    progress.bytesPerSecond = 12_345_678
    #expect((20...80).allSatisfy { progress.line(width: $0).count <= $0 })
    #expect(progress.line(width: 20).hasSuffix(" (1/3)  45%"))
    #expect(DownloadProgress(file: "x", completedBytes: 0, totalBytes: 0).description == "x 100% 0 B / 0 B")
    #expect(
      DownloadProgress(file: "x", completedBytes: 1, totalBytes: 4_000_000, bytesPerSecond: 1000).description.hasSuffix(
        "ETA 1:06:40"))
  }

  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (98_362_432, "98.4 MB"),
    (1_117_320_736, "1.12 GB"), (Int.max, "9.22 EB"),
  ])
  func formatsSizes(bytes: Int, expected: String) {
    #expect(ByteCount.text(bytes) == expected)
  }
}

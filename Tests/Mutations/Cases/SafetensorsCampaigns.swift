import SwiftletChatTemplates
import SwiftletCheckpoints
import SwiftletGeneration
import SwiftletJSON
import SwiftletModels
import SwiftletTensors

extension Campaign {
  /// Small models of every architecture and type.
  private static let names = ["deepseek-v3-bf16", "llama-f16", "qwen2-tied", "deepseek-v2-mscale"]

  private static func configuration(_ bytes: [UInt8]) throws -> ModelConfiguration {
    try ModelConfiguration(json: JSONValue(parsing: bytes), source: "config.json")
  }

  static let safetensors = [
    Campaign("safetensors, file", share: 90, least: (5, 300)) {
      let seeds = try names.map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/model.safetensors") }
      let configurations = try names.map { try configuration(Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json")) }
      let compute = Compute(threadCount: 1), folder = try TemporaryFolder()
      return { number, mutator, run in
        let index = number % seeds.count, seed = seeds[index]
        let header = 8..<8 + seed.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        var broken: [UInt8]
        if number % 3 == 0 {
          broken = mutator.bytes(seed, below: number % 2 == 0 ? .max : header.upperBound)
        } else {
          let text = mutator.text(Array(seed[header]), other: Array(seeds[(index + 1) % seeds.count][..<4096]))
          broken = GGUFDocument.littleEndian(UInt64(text.count)) + text + seed[header.upperBound...]
        }
        try folder.write(broken, as: "model.safetensors")
        run.begins(broken.count)
        let weights = WeightSource.safetensors(try SafetensorsFolder(path: folder.url.path))
        let decoder = try Decoder(configurations[index], weights: weights)
        run.isParsed()
        try forward(decoder, compute)
      }
    },
    Campaign("safetensors, index", share: 40) {
      let source = "\(Seeds.checkpoints)/deepseek-v3-sharded", folder = try TemporaryFolder()
      var total = 0
      for path in try Seeds.paths(source, suffix: ".safetensors") where path.contains("model-") {
        let shard = try Seeds.bytes(path)
        total += shard.count
        try folder.write(shard, as: String(path.split(separator: "/").last ?? ""))
      }
      let seed = try Seeds.bytes("\(source)/model.safetensors.index.json"), shards = total
      return { _, mutator, run in
        let broken = mutator.text(seed, other: seed)
        try folder.write(broken, as: "model.safetensors.index.json")
        run.begins(shards + broken.count)
        _ = try SafetensorsFolder(path: folder.url.path)
        run.isParsed()
      }
    },
    // A changed config.json over unchanged weights.
    Campaign("config.json", share: 90, least: (5, 100)) {
      let names = Self.names + ["llama-rope-llama3-version5", "qwen2-yarn", "deepseek-v3-negative-bias", "llama-gqa-tied"]
      let seeds = try names.map { try Seeds.bytes("\(Seeds.checkpoints)/\($0)/config.json") }
      let folders = try names.map { name in
        let folder = try TemporaryFolder()
        try folder.write(Seeds.bytes("\(Seeds.checkpoints)/\(name)/model.safetensors"), as: "model.safetensors")
        return folder
      }
      let weights = try folders.map { WeightSource.safetensors(try SafetensorsFolder(path: $0.url.path)) }
      let compute = Compute(threadCount: 1)
      return { number, mutator, run in
        let index = number % seeds.count
        let broken = mutator.text(seeds[index], other: seeds[mutator.generator.index(seeds.count)])
        run.begins(broken.count)
        let decoder = try Decoder(configuration(broken), weights: weights[index])
        run.isParsed()
        try forward(decoder, compute, isFinite: true)
      }
    },
    // The other files of a folder, as one model.
    Campaign("folder", share: 50, least: (10, 100)) {
      let folder = try TemporaryFolder()
      for name in ["config.json", "model.safetensors"] {
        try folder.write(Seeds.bytes("\(Seeds.checkpoints)/llama-mha/\(name)"), as: name)
      }
      let seeds: [(name: String, text: String)] = [
        (
          "generation_config.json",
          #"{"do_sample": true, "temperature": 0.3, "top_p": 0.8, "top_k": 20, "max_new_tokens": 99, "eos_token_id": [1, 7]}"#
        ),
        (
          "tokenizer_config.json",
          #"{"chat_template": [{"name": "tool_use", "template": "{{ tools }}"}, {"name": "default", "template": "d"}]}"#
        ),
        ("chat_template.json", #"{"chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}"}"#),
      ]
      return { number, mutator, run in
        let (name, text) = seeds[number % seeds.count]
        let broken = mutator.text(Array(text.utf8), other: Array(seeds[0].text.utf8))
        try folder.write(broken, as: name)
        defer { try? folder.remove(name) }
        run.begins(broken.count)
        let model = try LoadedModel(path: folder.url.path)
        run.isParsed()
        if let template = model.template { _ = try ChatTemplate(source: template.text) }
      }
    },
  ]
}

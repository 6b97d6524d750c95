import ArgumentParser
import Foundation
import SwiftletGeneration
import SwiftletHub
import SwiftletJSON
import SwiftletTensors

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures a model's speed on this machine.",
    discussion: """
      Prefill computes a prompt at once; decode generates one token after the
      other, after --depth positions: of more than 64, the first 64 are computed
      and then repeated in the cache. Each batch decodes several sequences together, with 64 prompt and 32
      generated tokens each; its figure is of all of them together. Medians of
      several repetitions. With --draft, a greedy continuation is generated with
      and without guesses of the next tokens, by turns; its gain is the ratio of
      the speeds. How many guesses are right depends on the text: give one with
      --text, or arbitrary tokens are continued.

      EXAMPLE
        swiftlet bench smollm2 --prompt 512 --generate 128 --batch 1,4,8 --json

      ENVIRONMENT
      \(HelpText.engine)
      """)

  @Argument(help: ArgumentHelp(HelpText.model))
  var model: String
  @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
  var prompt = 512
  @Option(help: ArgumentHelp("Tokens to generate.", valueName: "n"))
  var generate = 128
  @Option(help: ArgumentHelp("Positions in the cache before the generated tokens.", valueName: "n"))
  var depth = 1
  @Option(help: ArgumentHelp("Numbers of sequences to decode together, separated by commas.", valueName: "counts"))
  var batch = ""
  @Option(help: ArgumentHelp("How often each measurement is made; the median counts.", valueName: "n"))
  var repetitions = 3
  @Option(help: ArgumentHelp("Measures guessing the next tokens: mtp or lookup.", valueName: "kind"))
  var draft = Drafting.none
  @Option(help: ArgumentHelp("The most tokens to guess at once.", valueName: "n"))
  var draftTokens = 8
  @Option(help: ArgumentHelp("A file whose first tokens are the prompt for --draft.", valueName: "file"))
  var text: String?
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var engine: EngineArguments

  private var batches: [Int] {
    get throws {
      try batch.split(separator: ",").map { text in
        guard let count = Int(text), (1...256).contains(count) else {
          throw ValidationError("--batch: found '\(text)', expected numbers from 1 to 256 separated by commas.")
        }
        return count
      }
    }
  }

  func validate() throws {
    _ = try batches
    if draft == .automatic { throw ValidationError("--draft: found 'auto', expected mtp or lookup.") }
    if text != nil, draft == .none { throw ValidationError("--text goes with --draft.") }
    for (name, value) in [("prompt", prompt), ("generate", generate), ("depth", depth), ("repetitions", repetitions)]
    where value < 1 {
      throw ValidationError("--\(name): found \(value), expected at least 1.")
    }
  }

  func run() async throws {
    let threadCount = try engine.checkedThreadCount(), experts = try engine.experts()
    let path = try await ModelFinder.path(model)
    let start = ContinuousClock.now
    let loaded = try engine.packing.loading(path) { try LoadedModel(path: path, experts: experts, cache: $0) }
    let seconds = start.duration(to: .now) / .seconds(1)
    let draftIDs = try draft == .none ? [] : draftPrompt(loaded)
    let compute = Compute(threadCount: threadCount)
    let result = try Benchmark(
      loaded.decoder, promptTokens: prompt, generatedTokens: generate, depth: depth, batches: try batches,
      repetitions: repetitions, compute: compute)
    let drafts = try await measureDrafts(loaded, draftIDs, threadCount: threadCount)
    let peak = Self.peakResidentBytes()
    if json {
      let draftMembers = drafts.map { [JSONMember(key: "draft", value: Self.json($0))] } ?? []
      let members: JSONValue = [
        "load_seconds": .number(seconds), "prefill_tokens_per_second": .number(result.prefillTokensPerSecond),
        "decode_tokens_per_second": .number(result.decodeTokensPerSecond),
        "batched": .array(
          result.batches.map {
            ["sequences": .integer($0.sequences), "decode_tokens_per_second": .number($0.decodeTokensPerSecond)]
          }),
        "peak_resident_bytes": .integer(peak), "kernels": .string(compute.kernels.name),
        "threads": .integer(compute.pool.threadCount),
      ]
      Output.line(.object((members.members ?? []) + draftMembers))
      return
    }
    func speed(_ value: Double) -> String { String(format: "%.1f tokens/s", value) }
    let rows =
      [
        ["load", String(format: "%.2f s", seconds)], ["prefill of \(prompt)", speed(result.prefillTokensPerSecond)],
        ["decode of \(generate)" + (depth > 1 ? " after \(depth)" : ""), speed(result.decodeTokensPerSecond)],
      ] + result.batches.map { ["decode of \($0.sequences) sequences", speed($0.decodeTokensPerSecond)] } + Self.rows(drafts) + [
        ["peak memory", ByteCount.text(peak)], ["kernels", "\(compute.kernels.name), \(compute.pool.threadCount) threads"],
      ]
    Output.write(Output.table(rows, leftAligned: 2))
  }

  /// What --draft continues.
  private func draftPrompt(_ loaded: LoadedModel) throws -> [Int32] {
    guard let text else { return (0..<prompt).map { Int32(Benchmark.token(0, $0, loaded.decoder)) } }
    let bytes = try InputFile.bytes(text)
    guard let tokenizer = loaded.tokenizer else {
      throw CommandError("--text: \(loaded.path) has no tokenizer; put tokenizer.json beside it, or leave --text out.")
    }
    let ids = Array(tokenizer.encode(String(decoding: bytes, as: UTF8.self)).prefix(prompt))
    guard !ids.isEmpty else { throw CommandError("--text: \(text) is empty.") }
    return ids
  }

  private func measureDrafts(_ loaded: LoadedModel, _ ids: [Int32], threadCount: Int) async throws -> DraftBenchmark? {
    if draft == .none { return nil }
    let engine = Engine(decoder: loaded.decoder, tokenizer: nil, endTokens: [], threadCount: threadCount)
    return try await DraftBenchmark(
      engine, prompt: ids, generatedTokens: generate, drafting: draft, maximumDraftTokens: draftTokens,
      repetitions: repetitions)
  }

  private static func json(_ drafts: DraftBenchmark) -> JSONValue {
    let members: JSONValue = [
      "decode_tokens_per_second": .number(drafts.decodeTokensPerSecond),
      "plain_decode_tokens_per_second": .number(drafts.plainDecodeTokensPerSecond), "gain": .number(drafts.gain),
    ]
    // The gain that was measured takes the place of the estimate.
    return .object((drafts.counts.json.members ?? []).filter { $0.key != "gain" } + (members.members ?? []))
  }

  private static func rows(_ drafts: DraftBenchmark?) -> [[String]] {
    guard let drafts else { return [] }
    let counts = drafts.counts
    return [
      ["decode without guesses", String(format: "%.1f tokens/s", drafts.plainDecodeTokensPerSecond)],
      [
        "decode with \(counts.drafting.rawValue)",
        String(format: "%.1f tokens/s, %.2f times as fast", drafts.decodeTokensPerSecond, drafts.gain),
      ],
      [
        "guesses",
        String(
          format: "%d of %d right, %.2f tokens a pass", counts.accepted, counts.proposed, counts.tokensPerPass),
      ],
    ]
  }

  /// The most memory of the process that was resident at once.
  private static func peakResidentBytes() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
    getrusage(RUSAGE_SELF, &usage)
    return Int(usage.ru_maxrss)
    #else
    getrusage(.init(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
    #endif
  }
}

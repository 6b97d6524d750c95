import Foundation
import SwiftletTensors
import Testing

@testable import SwiftletGeneration

@Suite struct SamplerTests {
  /// The token chosen from logits at a position, with tokens already in the answer.
  static func choose(
    _ logits: [Float], _ options: GenerationOptions, position: Int = 0, prompt: [Int32] = [], answer: [Int32] = []
  ) -> Int32? {
    var sampler = Sampler(options, prompt: prompt)
    for token in answer { sampler.accept(token) }
    var logits = logits
    return logits.withUnsafeMutableBufferPointer { sampler.sample($0, position: position, kernels: .best) }
  }

  /// How often each token is chosen over many positions.
  static func frequencies(_ logits: [Float], _ options: GenerationOptions, draws: Int = 20_000) -> [Double] {
    var counts = [Double](repeating: 0, count: logits.count)
    for position in 0..<draws {
      if let token = choose(logits, options, position: position) { counts[Int(token)] += 1 / Double(draws) }
    }
    return counts
  }

  static let logits: [Float] = [0, 1, 2, 3, -1]

  static func softmax(_ logits: [Double]) -> [Double] {
    let powers = logits.map { 2.718281828459045.power($0) }
    return powers.map { $0 / powers.reduce(0, +) }
  }

  @Test func greedyTakesTheLargestAndTheFirstOfEquals() {
    #expect(Self.choose(Self.logits, .greedy) == 3)
    #expect(Self.choose([1, 5, 5, .nan], .greedy) == 1)
    #expect(Self.choose([.nan, .nan], .greedy) == nil)
    #expect(Self.choose([.nan, -.infinity], GenerationOptions()) == nil)
  }

  @Test func drawsFollowTheDistribution() {
    for temperature in [0.5, 1, 2] {
      let found = Self.frequencies(Self.logits, GenerationOptions(temperature: temperature, topP: 1))
      let expected = Self.softmax(Self.logits.map { Double($0) / temperature })
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 0.015 }, "temperature \(temperature)")
    }
  }

  @Test func narrowingKeepsTheLikeliest() {
    let all = Self.softmax(Self.logits.map(Double.init))
    func expect(_ options: GenerationOptions, keeps kept: Set<Int>) {
      let found = Self.frequencies(Self.logits, options)
      let mass = kept.reduce(0) { $0 + all[$1] }
      for index in all.indices {
        #expect(abs(found[index] - (kept.contains(index) ? all[index] / mass : 0)) < 0.015, "\(options)")
      }
    }
    expect(GenerationOptions(temperature: 1, topK: 2, topP: 1), keeps: [3, 2])
    expect(GenerationOptions(temperature: 1, topP: 0.7), keeps: [3, 2])
    expect(GenerationOptions(temperature: 1, topP: 0.5), keeps: [3])
    expect(GenerationOptions(temperature: 1, topP: 1, minP: 0.1), keeps: [3, 2, 1])
    expect(GenerationOptions(temperature: 1, topP: 0), keeps: [3])
  }

  /// Blocks of the vocabulary are skipped whole: what is possible is chosen as often as it is likely, wherever it stands.
  @Test func drawsFromAllBlocks() {
    var logits = [Float](repeating: -.infinity, count: 1000)
    let possible = [3, 255, 256, 511, 768, 999]
    for token in possible { logits[token] = 0 }
    let found = Self.frequencies(logits, GenerationOptions(temperature: 1, topP: 1))
    #expect(possible.allSatisfy { abs(found[$0] - 1 / Double(possible.count)) < 0.015 })
    // The last block is empty, and the last number below 1 is drawn by hardly anyone: what is chosen is possible.
    logits[999] = -.infinity
    let chosen = Set((0..<20_000).compactMap { Self.choose(logits, GenerationOptions(temperature: 1, topP: 1), position: $0) })
    #expect(chosen == Set(possible.dropLast().map { Int32($0) }))
  }

  @Test func manyCandidatesAreFoundWhole() {
    // A flat distribution needs far more than the first 256 candidates.
    let flat = [Float](repeating: 0, count: 5000)
    let chosen = Set((0..<3000).compactMap { Self.choose(flat, GenerationOptions(temperature: 1, topP: 0.9), position: $0) })
    #expect(chosen.count > 1500)
    #expect(chosen.allSatisfy { $0 < 4500 })
  }

  @Test func topPIsAShareOfTopKWhateverMinPIs() {
    let logits = (0..<1000).map { Float(log($0 < 100 ? 1 : 0.09)) }
    func chosen(_ minP: Double) -> Set<Int32?> {
      let options = GenerationOptions(temperature: 1, topK: 1000, topP: 0.5, minP: minP)
      return Set((0..<4000).map { Self.choose(logits, options, position: $0) })
    }
    // 181 in all, so that half of it is 91 of the first hundred; min-p 0.08 leaves all of these.
    #expect(chosen(0).count == 91)
    #expect(chosen(0.08) == chosen(0))
    #expect(chosen(0.1) == chosen(0))
  }

  @Test(arguments: [1e-300, 1e-40, 1e-38]) func tinyTemperaturesTakeTheLikeliest(_ temperature: Double) {
    var logits = [Float](repeating: 0, count: 1000)
    logits[700] = 1
    for options in [GenerationOptions(temperature: temperature), GenerationOptions(temperature: temperature, topP: 1)] {
      #expect(Self.choose(logits, options) == 700)
    }
  }

  @Test func penaltiesAndBiasesChangeTheChoice() {
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, frequencyPenalty: 0.6), answer: [3, 3]) == 2)
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, presencePenalty: 1.5), answer: [3, 3]) == 2)
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, presencePenalty: 1.5), prompt: [3]) == 3)
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, repetitionPenalty: 2), prompt: [3]) == 2)
    #expect(Self.choose([-1, -1.5], GenerationOptions(temperature: 0, repetitionPenalty: 2), prompt: [0]) == 1)
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, logitBias: [4: 100])) == 4)
    #expect(Self.choose(Self.logits, GenerationOptions(temperature: 0, logitBias: [3: -.infinity])) == 2)
  }

  @Test func seedSampleAndPositionDecide() {
    let flat = [Float](repeating: 0, count: 100)
    func run(_ seed: UInt64, _ sample: Int) -> [Int32?] {
      (0..<20).map {
        Self.choose(flat, GenerationOptions(temperature: 1, topP: 1, seed: seed, sampleIndex: sample), position: $0)
      }
    }
    #expect(run(1, 0) == run(1, 0))
    #expect(run(1, 0) != run(2, 0))
    #expect(run(1, 0) != run(1, 1))
    #expect(Set(run(1, 0)).count > 10)
  }

  @Test func optionsInTheShapeOfFoundationModels() {
    #expect(GenerationOptions(sampling: .greedy).temperature == 0)
    let top = GenerationOptions(sampling: .random(top: 40, seed: 3), temperature: 0.9, maximumResponseTokens: 5)
    #expect(top == GenerationOptions(temperature: 0.9, topK: 40, topP: 1, seed: 3, maximumResponseTokens: 5))
    let nucleus = GenerationOptions(sampling: .random(probabilityThreshold: 0.8, seed: 1))
    #expect(nucleus.topP == 0.8 && nucleus.topK == 0)
  }

  @Test(arguments: [
    GenerationOptions(temperature: -1), GenerationOptions(temperature: .nan), GenerationOptions(topK: -1),
    GenerationOptions(topP: 1.5),
    GenerationOptions(minP: 2), GenerationOptions(repetitionPenalty: 0), GenerationOptions(frequencyPenalty: .infinity),
    GenerationOptions(logitBias: [5: 1]), GenerationOptions(logitBias: [1: .nan]),
    GenerationOptions(logitBias: [1: 1e300]), GenerationOptions(stop: [""]),
    GenerationOptions(maximumResponseTokens: 0),
  ]) func refusesOptions(_ options: GenerationOptions) {
    #expect(throws: GenerationError.self) { try options.validate(vocabularySize: 5) }
  }
}

extension Double {
  fileprivate func power(_ exponent: Double) -> Double {
    // exp by its series, to depend on nothing.
    var term = 1.0, sum = 1.0
    for n in 1..<60 {
      term *= exponent / Double(n)
      sum += term
    }
    return sum
  }
}

@Suite struct StopDetectorTests {
  @Test(arguments: [
    ("abcENDdef", ["END"], "abc", true), ("abcEN", ["END"], "abcEN", false), ("aENbEND", ["END", "Nb"], "aE", true),
    ("aaab", ["aab"], "a", true), ("日本語", ["本"], "日", true), ("x", [], "x", false),
  ]) func stopsAtEveryPlace(_ text: String, _ stops: [String], _ expected: String, _ isStopped: Bool) {
    for size in 1...text.count {
      var detector = StopDetector(stops)
      var found = ""
      let characters = Array(text)
      for start in stride(from: 0, to: characters.count, by: size) {
        found += detector.append(String(characters[start..<min(start + size, characters.count)]))
      }
      found += detector.finish()
      #expect(found == expected, "in pieces of \(size)")
      #expect(detector.isStopped == isStopped)
    }
  }
}

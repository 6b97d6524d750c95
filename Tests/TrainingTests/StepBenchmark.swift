import Foundation
import SwiftletJSON
import SwiftletModels
import SwiftletTensors
import SwiftletTraining
import Testing

/// Times a training step of a small DeepSeek-V3: 18.3 M parameters, 4.5 M of them active, 32 sequences of 256 tokens, two threads.
/// Run by hand: `SWIFTLET_STEP_BENCHMARK=bfloat16 swift test … --filter StepBenchmark` (or `float32`; `,recompute` behind it).
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SWIFTLET_STEP_BENCHMARK"] != nil)) struct StepBenchmark {
  static let configuration = """
    {"model_type": "deepseek_v3", "vocab_size": 512, "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4,
     "num_key_value_heads": 4, "kv_lora_rank": 64, "q_lora_rank": 96, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
     "v_head_dim": 32, "n_routed_experts": 16, "num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 256,
     "first_k_dense_replace": 1, "intermediate_size": 768, "n_group": 1, "topk_group": 1, "norm_topk_prob": true,
     "routed_scaling_factor": 1.0, "max_position_embeddings": 512, "tie_word_embeddings": false}
    """

  @Test func step() throws {
    let options = (ProcessInfo.processInfo.environment["SWIFTLET_STEP_BENCHMARK"] ?? "").split(separator: ",")
    let configuration = try ModelConfiguration(json: JSONValue(parsing: Array(Self.configuration.utf8)), source: "configuration")
    let compute = Compute(threadCount: 2), model = TrainableModel(configuration, deviation: 0.02, seed: 1)
    let optimizer = AdamW(model.parameters.parameters), norm = GradientNorm(optimizer.parameters)
    let tape = Tape(compute: compute, precision: options.contains("float32") ? .float32 : .bfloat16)
    tape.recomputesActivations = options.contains("recompute")
    let tokens = (0..<32 * 256).map { ($0 * $0 * 31 + $0 * 17) % 510 + 2 }
    let documents = (0..<32).map { $0 * 256..<($0 + 1) * 256 }
    var targets = tokens.dropFirst() + [-1]
    for document in documents { targets[targets.startIndex + document.upperBound - 1] = -1 }
    let batch = TrainingBatch(tokens: tokens, targets: Array(targets), documents: documents)
    var times: [Double] = [], processorTimes: [Double] = []
    for step in 0..<9 {
      tape.profile = step == 8 ? TapeProfile() : nil
      let start = ContinuousClock.now, processor = clock()
      model.parameters.clearGradients(compute)
      let loss = model.loss(batch, tape: tape).total
      let middle = ContinuousClock.now
      optimizer.step(rate: 1e-3, gradientScale: GradientNorm.scale(norm: norm.norm(compute), limit: 1), compute: compute)
      RouterBiasRule().apply(to: model)
      let duration = seconds(.now - start), used = Double(clock() - processor) / Double(CLOCKS_PER_SEC)
      print(
        "step \(step): loss \(loss), \(duration) s, of which the optimizer \(seconds(.now - middle)) s; processor time \(used) s")
      if step > 1 {
        times.append(duration)
        processorTimes.append(used)
      }
    }
    for (name, entry) in (tape.profile?.entries ?? [:]).sorted(by: { $0.value.backward > $1.value.backward }) {
      print("  \(name): \(seconds(entry.forward)) s forward, \(seconds(entry.backward)) s back")
    }
    times.sort()
    processorTimes.sort()
    let rows = Double(tokens.count)
    print(
      "\(compute.kernels.name), \(tape.precision): median \(Int(rows / times[times.count / 2])) tokens/s, best \(Int(rows / times[0])); "
        + "\(Int(rows / (processorTimes[0] / 2))) by processor time of two cores; tape \(tape.byteCount >> 20) MB")
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}

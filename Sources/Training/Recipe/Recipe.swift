public import SwiftletJSON
public import SwiftletTensors
public import SwiftletTokenization

/// All that decides a training run, as a YAML file says it. docs/training.md lists the keys.
public struct Recipe: Sendable {
  /// Where it was read; errors name it, and its folder is where relative paths begin.
  public var file: String
  public var data: Data
  /// Training on answers of the model's own; nil for training on data.
  public var reinforcement: Reinforcement?
  public var tokenizer: Tokenizer?
  public var model: Model
  /// Trains adapters beside the model's weights, which stay as they are; nil trains the weights.
  public var lora: LowRankOptions?
  /// Of a model that was trained already: how its context is made longer.
  public var contextExtension: ContextExtension?
  /// A teacher beside the data; nil for none.
  public var distillation: Distillation?
  public var optimizer: Optimizer
  public var balance: Balance
  /// What the loss of the prediction layer is multiplied with (lambda; DeepSeek-V3 report, section 4.2: 0.3, later 0.1).
  public var prediction: PredictionWeight
  /// Tokens a sequence.
  public var sequenceLength: Int
  public var positionSkips: PositionSkips?
  /// Sequences of a step, when the ramp is over.
  public var batch: Int
  /// Sequences that are computed at a time; their gradients are added.
  public var microBatch: Int
  public var batchRamp: BatchRamp?
  public var steps: Int
  public var precision: ProductPrecision
  /// Whether layers keep only their input for the way back, and are computed anew there.
  public var recomputesActivations: Bool
  public var seed: UInt64
  /// Steps between checkpoints.
  public var checkpointInterval: Int
  public var evaluation: Evaluation
  public var failure: Failure
  public var cost: Cost
  /// How the trained model's weights are stored.
  public var exportType: ElementType
  /// Of the run: checkpoints, log, report, model.
  public var folder: String
  /// The recipe's text, which a run keeps beside its results.
  public var text: String
  /// Every key with its value as written: a run goes on only with those it was begun with.
  var settings: [String: String]

  public struct Data: Sendable, Equatable {
    public enum Source: Sendable, Equatable {
      /// Texts that are packed when the run begins.
      case text(Text)
      /// Conversations, or prompts with completions, of which only the answers are learned.
      case chats(Chats)
      /// Folders of `swiftlet data pack`.
      case datasets([Dataset])
      /// The model's own answers (`Recipe.reinforcement`).
      case answers
    }

    public var source: Source
    public var packing: SequencePacking
    /// Whether attention ends at the ends of documents.
    public var masksDocuments: Bool
  }

  public struct Text: Sendable, Equatable {
    /// Paths and patterns.
    public var files: [String]
    /// The share of documents set aside for evaluation, 0 to 1.
    public var heldOut: Double
    /// `DocumentOptions.separator` and `passageBytes`.
    public var separator: String?
    public var passageBytes: Int
    /// nil leaves all documents as they are.
    public var fillInMiddle: FillInMiddle?

    var documents: DocumentOptions { DocumentOptions(separator: separator, passageBytes: passageBytes) }
  }

  public struct Chats: Sendable, Equatable {
    /// Paths and patterns of JSON Lines.
    public var files: [String]
    public var heldOut: Double
    /// A built-in chat template or a Jinja file; nil for the model's own.
    public var template: String?
    /// Whether broken conversations, and those longer than a sequence, are left out; else the first one is an error.
    public var skipsBroken: Bool

    var documents: DocumentOptions { DocumentOptions(format: .jsonLines, skipsBroken: skipsBroken) }
  }

  /// Documents that become exercises in filling in the middle.
  public struct FillInMiddle: Sendable, Equatable {
    /// Their share, 0 to 1.
    public var rate: Double
    /// The tokens before prefix, suffix and middle, by name; nil for those that the tokenizer is known to have for it.
    public var tokens: [String]?
  }

  public struct Dataset: Sendable, Equatable {
    public var folder: String
    public var weight: Double
    /// For errors.
    var key: String
  }

  public enum Tokenizer: Sendable, Equatable {
    case file(String)
    /// Byte-level BPE, learned from the texts of `data`.
    case trained(size: Int, preTokenizer: TrainablePreTokenizer)
  }

  public enum Model: Sendable {
    /// The members of a config.json.
    case configuration(JSONValue)
    /// A folder with config.json and safetensors, or a GGUF file.
    case checkpoint(String)
  }

  public struct Optimizer: Sendable, Equatable {
    public enum Name: String, Sendable, CaseIterable {
      case adamw
      /// Muon for the matrices between hidden states, AdamW for everything else.
      case muon
    }

    public var name: Name
    public var schedule: LearningRateSchedule
    public var adamW: AdamW.Options
    public var muon: Muon.Options
    /// How moments are kept.
    public var state: MomentFormat
    /// The largest norm of all gradients together; nil does not clip.
    public var clip: Double?

    /// Bytes of a checkpoint that a trained value takes at most: its weight and two moments.
    var checkpointBytesPerValue: Double {
      switch state {
      case .float32: 12
      case .bfloat16: 8
      // A scale for 256 values.
      case .int8: 4 + 2 * (1 + 4.0 / 256)
      }
    }
  }

  public struct Balance: Sendable, Equatable {
    /// Of the rule for the routers' biases; DeepSeek-V3's is 0.001, 0 is off.
    public var gamma: Float
    /// Of the balance loss of sequences; DeepSeek-V3's is 0.0001, 0 is off.
    public var alpha: Float
    /// Steps after which gamma is 0; nil for never. DeepSeek-V3's is 0 for the last 500B of 14.8T tokens.
    public var untilStep: Int?

    /// - Parameter step: from 0.
    public func gamma(step: Int) -> Float {
      guard let untilStep, step >= untilStep else { return gamma }
      return 0
    }
  }

  public struct PredictionWeight: Sendable, Equatable {
    public var weight: Float
    /// From a step on, another weight.
    public var later: Later?

    public struct Later: Sendable, Equatable {
      public var step: Int
      public var weight: Float
    }

    /// Whether the prediction layer learns at any time.
    var isUsed: Bool { weight > 0 || (later?.weight ?? 0) > 0 }

    /// - Parameter step: from 0.
    public func weight(step: Int) -> Float {
      guard let later, step >= later.step else { return weight }
      return later.weight
    }
  }

  /// Batches grow evenly from a size to the full one (DeepSeek-V3 report, section 4.2).
  public struct BatchRamp: Sendable, Equatable {
    public var from: Int
    public var steps: Int
  }

  public struct Evaluation: Sendable, Equatable {
    /// Steps between measurements; 0 for none.
    public var interval: Int
    /// Held-out sequences measured each time, always the same, spread over all of them.
    public var sequences: Int
  }

  public struct Failure: Sendable, Equatable {
    public enum Action: String, Sendable, CaseIterable {
      case stop
      /// Goes on without the step's gradients.
      case skip
    }

    /// On a loss or gradient that is no finite number.
    public var notFinite: Action
    public var spike: Action
    /// In nats above the mean of the last losses; 0 watches for none.
    public var spikeHeight: Double
    /// So many skipped steps one after the other stop the run.
    public var limit: Int
  }

  /// What the report reckons with; nil takes what is measured or assumed for this machine.
  public struct Cost: Sendable, Equatable {
    public var peakFLOPsPerSecond: Double?
    public var watts: Double?
    public var dollarsPerHour: Double?
  }

  /// Passes of `microBatch` sequences in a step.
  /// - Parameter step: from 0.
  public func passes(step: Int) -> Int {
    guard let batchRamp, step < batchRamp.steps else { return batch / microBatch }
    let sequences = batchRamp.from + (batch - batchRamp.from) * step / batchRamp.steps
    return max(1, sequences / microBatch)
  }

  /// Passes of all steps before one together, of training on data: the sum of `passes(step:)`, however many steps there are.
  public func passes(before step: Int) -> Int {
    let full = batch / microBatch
    guard let batchRamp, batchRamp.from < batch else { return step * full }
    let growth = batch - batchRamp.from
    // Every step has one pass, and a further one from the step on that has the sequences for it.
    return (1...max(1, full)).reduce(0) { sum, passes in
      let missing = passes == 1 ? 0 : max(0, passes * microBatch - batchRamp.from)
      let first = (missing * batchRamp.steps + growth - 1) / growth
      return sum + max(0, step - first)
    }
  }

  /// A path of the recipe, from the recipe's folder.
  public func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }

  /// Whether the layer that predicts further tokens is trained: answers say nothing of it, and a weight of 0 leaves it as it is.
  var trainsPrediction: Bool { reinforcement == nil && prediction.isUsed }

  /// The error of a key.
  func error(_ key: String, _ reason: String) -> RecipeError { RecipeError(file: file, key: key, reason: reason) }
}

internal import Foundation
public import SwiftletGeneration
internal import SwiftletTensors

/// A model ready to answer: weights mapped into memory and an engine of its own.
///
///     let model = try LanguageModel(path: "model.gguf")
///     let session = LanguageModelSession(model: model, instructions: "Answer in one sentence.")
///     print(try await session.respond(to: "Why is the sky blue?").content)
public final class LanguageModel: Sendable {
  /// The files, read and checked.
  public let loaded: LoadedModel
  public let engine: Engine
  /// nil for models without a chat template, which continue texts only.
  public let chatPrompt: ChatPrompt?

  /// Opens a GGUF file or a folder with config.json and safetensors.
  /// - Parameters:
  ///   - template: a chat template to take instead of the model's own, such as `TemplateSource(.deepseekV3)`.
  ///   - threadCount: nil for as many as the machine has cores.
  ///   - contextLength: the most positions of a conversation, which must fit into memory; nil for the model's own, as far as it fits.
  ///   - experts: where the experts of a mixture are. On disk, models run that are larger than memory.
  ///   - memory: how much memory the model may take.
  ///   - limits: how many requests are served at once and may wait; all caches then stay within the memory there is. nil serves 64
  ///     at once, lets any number wait, and has caches as large as they get.
  ///   - cache: a folder that keeps weights in the order in which they are computed with, so that the model starts at once from the
  ///     second time on; nil to make that order in memory every time.
  ///   - prefixes: keeps what was computed of prompts' beginnings on disk, so that a conversation goes on at once after a restart;
  ///     several models may have the same. nil to keep the last ones in memory alone.
  ///   - fastPrompts: computes prompts as llama.cpp does, less exactly: up to 1.6 times as fast on CPUs with VNNI but without AMX,
  ///     without effect on others.
  /// - Throws: an error that names the file, the field, what was found and what was expected; `MemoryError` when the model does not
  ///   fit into memory.
  public init(
    path: String, template: TemplateSource? = nil, threadCount: Int? = nil, contextLength: Int? = nil,
    experts: ExpertPlacement = .memory, memory: MemoryLimits = .current, limits: EngineLimits? = nil,
    cache: PackedWeightCache? = nil, prefixes: PrefixStore? = nil, fastPrompts: Bool = false
  ) throws {
    loaded = try LoadedModel(
      path: path, template: template, experts: experts, contextLength: contextLength, limits: memory, cache: cache)
    if let tokenizer = loaded.tokenizer, let template = loaded.template {
      chatPrompt = try ChatPrompt(template, tokenizer: tokenizer)
    } else {
      chatPrompt = nil
    }
    var engineLimits = limits ?? EngineLimits()
    if limits != nil, engineLimits.cacheBytes == nil { engineLimits.cacheBytes = loaded.cacheMemory }
    engine = Engine(
      decoder: loaded.decoder, tokenizer: loaded.tokenizer, endTokens: loaded.endTokens,
      threadCount: threadCount ?? ProcessorCount.available, contextLength: contextLength,
      limits: engineLimits, kernels: fastPrompts ? Kernels.best.withFastPrompts() : .best, prefixes: prefixes,
      identity: prefixes == nil ? "" : loaded.identity)
  }
}

/// What a session cannot do with its model.
public enum LanguageModelError: Error, Sendable, Equatable, CustomStringConvertible {
  case noTokenizer(path: String)
  case noChatTemplate(path: String)
  /// The vocabulary has no tokens for filling in the middle.
  case noFillInMiddle(path: String)
  /// A session answers one prompt at a time.
  case sessionIsResponding

  public var description: String {
    switch self {
    case .noTokenizer(let path): "\(path) has no tokenizer; put tokenizer.json beside the weights"
    case .noChatTemplate(let path):
      "\(path) has no chat template, so it continues texts but does not chat; complete a text instead, choose an instruct model, "
        + "or name a template (--template)"
    case .noFillInMiddle(let path):
      "\(path) has no tokens for filling in between two texts, such as <｜fim▁begin｜> or <|fim_prefix|>; choose a model trained for it, "
        + "such as DeepSeek-Coder-V2-Lite-Base or Qwen2.5-Coder"
    case .sessionIsResponding: "the session is still answering; wait for the answer or cancel it first"
    }
  }
}

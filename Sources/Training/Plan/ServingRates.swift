internal import Foundation
internal import SwiftletModels

/// How long a pass takes at best: the roofline of each of its parts, and what devices send each other.
///
/// Experts are spread over the devices, and each device has all other weights and the cache of its own sequences, as DeepSeek serves
/// (DeepSeek-V3 report, section 3.4); a dense model is cut into as many slices as there are devices.
struct ServingRates: Sendable {
  struct Pass: Sendable {
    var seconds: Double
    var limit: String
    var distinctExperts: Double?
  }

  /// Of a device's memory, what weights and cache may take.
  static let usableMemory = 0.9
  /// Bytes of a value that goes to an expert (FP8), and that comes back (BF16).
  private static let dispatchBytes = 1.0, combineBytes = 2.0

  let configuration: ModelConfiguration
  let hardware: Hardware
  let setup: ServingPlan.Setup
  let parts: ModelConfiguration.ParameterParts
  let cacheBytesPerPosition: Double

  init(_ configuration: ModelConfiguration, hardware: Hardware, setup: ServingPlan.Setup) {
    (self.configuration, self.hardware, self.setup) = (configuration, hardware, setup)
    parts = configuration.parameterParts
    cacheBytesPerPosition = Double(configuration.cachedValuesPerPosition) * setup.cache.bytesPerValue
  }

  /// Parameters that every token's products read: all but the embedding's rows and the routed experts.
  private var sharedParameters: Double {
    Double(parts.total - parts.routedExperts - (configuration.tiesEmbeddings ? 0 : parts.embedding))
  }

  func weightBytesPerDevice(devices: Double) -> Double {
    let experts = Double(parts.routedExperts), others = Double(parts.total) - experts
    return (experts / devices + (configuration.mixture == nil ? others / devices : others)) * setup.weights.bytesPerValue
  }

  func sendingBytesPerSecond(devices: Double) -> Double {
    devices <= Double(hardware.devicesPerServer) ? hardware.linkBytesPerSecond.value : hardware.networkBytesPerSecond.value
  }

  func decodePass(sequencesPerDevice: Double) -> Pass {
    let token = TokenFLOPs(configuration, absorbed: true)
    return pass(
      tokensPerDevice: sequencesPerDevice * setup.tokensPerPass.value, devices: setup.decodeDevices.value,
      attentionFLOPs: token.attentionPerPosition * setup.positions.value,
      cacheBytes: sequencesPerDevice * setup.positions.value * cacheBytesPerPosition, isPrompt: false)
  }

  /// A device's share of a pass over prompts. A computed token sees the stored part of its prompt and half of the rest.
  var prefillPass: Pass {
    let token = TokenFLOPs(configuration), share = setup.hitShare.value
    let positions = setup.promptTokens.value * (share + (1 - share) / 2), count = setup.prefillTokensPerPass.value
    let sequences = count / max(1, setup.promptTokens.value * (1 - share))
    return pass(
      tokensPerDevice: count, devices: setup.prefillDevices.value, attentionFLOPs: token.attentionPerPosition * positions,
      cacheBytes: sequences * setup.promptTokens.value * cacheBytesPerPosition, isPrompt: true)
  }

  /// - Parameters:
  ///   - attentionFLOPs: of a token, over the positions it sees.
  ///   - cacheBytes: that a device reads.
  private func pass(
    tokensPerDevice: Double, devices: Double, attentionFLOPs: Double, cacheBytes: Double, isPrompt: Bool
  ) -> Pass {
    let bytesPerSecond = hardware.memoryBytesPerSecond.value * hardware.memoryEfficiency.value
    func arithmetic(_ flops: Double, _ format: NumberFormat) -> Double {
      flops / (hardware.flopsPerSecond(format) * hardware.arithmeticEfficiency.value)
    }
    var memorySeconds = 0.0, arithmeticSeconds = 0.0
    func add(bytes: Double, flops: Double, _ format: NumberFormat) {
      let memory = bytes / bytesPerSecond, computing = arithmetic(flops, format)
      if memory >= computing { memorySeconds += memory } else { arithmeticSeconds += computing }
    }
    let width = setup.weights.bytesPerValue, slices = configuration.mixture == nil ? devices : 1
    add(bytes: sharedParameters * width / slices, flops: 2 * sharedParameters * tokensPerDevice, setup.weights)
    add(bytes: cacheBytes, flops: attentionFLOPs * tokensPerDevice, .bf16)
    var distinct: Double?
    if let mixture = configuration.mixture {
      // As if each token chose its experts by chance, apart from the others.
      let count = Double(mixture.expertCount), chosen = Double(mixture.expertsPerToken)
      let seen = Self.distinctExperts(count: count, chosen: chosen, tokens: tokensPerDevice * devices)
      add(
        bytes: Double(parts.routedExperts) / count * seen * width / devices,
        flops: 2 * Double(parts.chosenExperts) * tokensPerDevice, setup.weights)
      distinct = seen
    }
    let sending =
      devices > 1
      ? sentBytes(devices: devices, isPrompt: isPrompt) * tokensPerDevice / sendingBytesPerSecond(devices: devices) : 0
    let seconds = max(memorySeconds + arithmeticSeconds, sending)
    let limit = sending >= seconds ? "network" : memorySeconds >= arithmeticSeconds ? "memory" : "arithmetic"
    return Pass(seconds: seconds, limit: limit, distinctExperts: distinct)
  }

  /// How many of `count` experts are chosen by at least one of `tokens` that choose `chosen` each.
  static func distinctExperts(count: Double, chosen: Double, tokens: Double) -> Double {
    count * (1 - pow(1 - chosen / count, tokens))
  }

  /// Bytes that a device sends and gets for a token. Experts: the hidden state to each chosen expert and the shared one and back
  /// (arXiv 2505.09343, section 2.3.2), for prompts once to each server, which groups limit. Slices of a dense model: two sums over all devices a layer.
  private func sentBytes(devices: Double, isPrompt: Bool) -> Double {
    let hidden = Double(configuration.hiddenSize)
    guard let mixture = configuration.mixture else {
      // Of each sum over n devices, a device sends 2 (n - 1) / n of the values of the whole pass, which has n times its tokens.
      return Double(configuration.layerCount) * 2 * 2 * (devices - 1) * hidden * Self.combineBytes
    }
    var destinations = Double(mixture.expertsPerToken + min(1, mixture.sharedExpertCount))
    if isPrompt, mixture.groupCount > 1, devices > Double(hardware.devicesPerServer) {
      destinations = Double(mixture.chosenGroupCount)
    }
    let layers = Double(configuration.layerCount - configuration.denseLayerCount)
    return layers * destinations * hidden * (Self.dispatchBytes + Self.combineBytes)
  }
}

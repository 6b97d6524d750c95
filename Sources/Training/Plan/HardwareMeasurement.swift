internal import Foundation
public import SwiftletTensors

extension Hardware {
  /// This machine, measured with the products that run models: a prompt's of many rows for arithmetic, one row's with weights larger
  /// than its caches for bandwidth. Takes about a second.
  /// - Parameter threadCount: threads at work.
  public static func measured(threadCount: Int, kernels: Kernels = .best) -> Hardware {
    let compute = Compute(threadCount: threadCount, kernels: kernels)
    /// The best of a few runs, since other programs only slow it down.
    func seconds(_ count: Int, _ body: () -> Void) -> Double {
      (0..<count).map { _ in
        let start = ContinuousClock.now
        body()
        return start.duration(to: .now) / .seconds(1)
      }.min() ?? 1
    }
    func product(rows: Int, outputs: Int, inputs: Int, role: PositionRole, repetitions: Int) -> Double {
      // BF16 zeros; products take as long for any values.
      let storage = Storage(byteCount: outputs * inputs * 2)
      memset(storage.address, 0, storage.byteCount)
      let weight = Tensor(storage: storage, byteOffset: 0, shape: [outputs, inputs], type: .bfloat16).packed()
      let x = Tensor(zeros: [rows, inputs])
      return seconds(repetitions) { compute.releasing { _ = compute.linear(x, weight, role: role) } }
    }
    let rows = 256, size = 2048, wide = 16384, how = "by products of BF16 weights, \(kernels.name), \(threadCount) threads"
    let flops = 2 * Double(rows * size * size) / product(rows: rows, outputs: size, inputs: size, role: .prompt, repetitions: 4)
    let bytes = 2 * Double(wide * size * 2) / product(rows: 1, outputs: 2 * wide, inputs: size, role: .generated, repetitions: 4)
    var hardware = assumed(threadCount: threadCount)
    hardware.bf16FLOPsPerSecond = Sourced(flops, .measured(how))
    hardware.eightBitFLOPsPerSecond = nil
    hardware.memoryBytesPerSecond = Sourced(bytes, .measured(how))
    hardware.arithmeticEfficiency = Sourced(1, .measured("the speeds are those of products themselves"))
    hardware.memoryEfficiency = Sourced(1, .measured("the speeds are those of products themselves"))
    return hardware
  }

  /// This machine as a recipe has it; measured unless the recipe says what it can do.
  public static func machine(_ cost: Recipe.Cost, threadCount: Int, kernels: Kernels = .best) -> Hardware {
    var hardware: Hardware
    if let flops = cost.peakFLOPsPerSecond {
      hardware = .assumed(threadCount: threadCount)
      hardware.bf16FLOPsPerSecond = Sourced(flops, .given("cost.peak_flops of the recipe"))
    } else {
      hardware = .measured(threadCount: threadCount, kernels: kernels)
    }
    if let watts = cost.watts { hardware.watts = Sourced(watts, .given("cost.watts of the recipe")) }
    if let dollars = cost.dollarsPerHour {
      hardware.dollarsPerHour = Sourced(dollars, .given("cost.dollars_per_hour of the recipe"))
    }
    return hardware
  }

  /// Whether it is the machine that this program runs on.
  var isThisMachine: Bool { name == Self.thisMachine }

  private static let thisMachine = "this"

  /// This machine, without a measurement: what it draws and costs.
  public static func assumed(threadCount: Int) -> Hardware {
    var hardware = epycAVX2
    hardware.name = thisMachine
    hardware.description = "this machine"
    hardware.memoryBytes = Sourced(Double(ProcessInfo.processInfo.physicalMemory), .measured("the system's answer"))
    hardware.watts = Sourced(15 / 2 * Double(threadCount), .assumed("7.5 W a thread"))
    hardware.dollarsPerHour = Sourced(0.04 * Double(threadCount), .assumed("rent of virtual cores, one a thread"))
    return hardware
  }
}

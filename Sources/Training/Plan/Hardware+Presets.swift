extension Hardware {
  /// Devices by name. Prices and power change; every number can be given anew.
  public static let presets = [h800, h100, a100, m3Ultra, epycAVX2, epycAVX512, xeonAMX]

  public static let h800 = Hardware(
    name: "h800", description: "NVIDIA H800 SXM, 80 GB",
    bf16FLOPsPerSecond: Sourced(989.4e12, .published("NVIDIA H100 SXM data sheet, dense; the H800 has the same units")),
    eightBitFLOPsPerSecond: Sourced(1978.9e12, .published("NVIDIA H100 SXM data sheet, dense FP8")),
    memoryBytes: Sourced(80e9, .published("NVIDIA data sheet")),
    memoryBytesPerSecond: Sourced(3.35e12, .published("NVIDIA H100 SXM data sheet")),
    arithmeticEfficiency: Sourced(0.59, .published("FlashMLA README of February 2025: 580 TFLOPS in BF16 on an H800")),
    memoryEfficiency: Sourced(0.90, .published("FlashMLA README of February 2025: 3000 GB/s on an H800")),
    linkBytesPerSecond: Sourced(160e9, .published("DeepSeek-V3 report, section 3.2.2: NVLink")),
    networkBytesPerSecond: Sourced(50e9, .published("DeepSeek-V3 report, section 3.2.2: InfiniBand")),
    storageBytesPerSecond: Sourced(
      40 * 0x1p30 / 8, .published("DeepSeek, open-infra-index: 40 GiB/s a node at the peak from 3FS; for eight devices")),
    devicesPerServer: 8,
    watts: Sourced(1275, .published("NVIDIA DGX H100 data sheet: 10.2 kW at most for eight")),
    powerUsageEffectiveness: Sourced(1.2, .assumed("a large data centre")),
    dollarsPerHour: Sourced(2, .published("DeepSeek-V3 report, table 1: assumed rent of an H800")),
    dollarsPerKilowattHour: Sourced(0, .assumed("rent has electricity in it")))

  public static let h100: Hardware = {
    var hardware = h800
    hardware.name = "h100"
    hardware.description = "NVIDIA H100 SXM, 80 GB"
    hardware.linkBytesPerSecond = Sourced(450e9, .published("NVIDIA data sheet: NVLink, 900 GB/s both ways"))
    hardware.dollarsPerHour = Sourced(2.5, .assumed("a rent between $2 and $4"))
    return hardware
  }()

  public static let a100 = Hardware(
    name: "a100", description: "NVIDIA A100 SXM, 80 GB",
    bf16FLOPsPerSecond: Sourced(312e12, .published("NVIDIA A100 data sheet, dense")), eightBitFLOPsPerSecond: nil,
    memoryBytes: Sourced(80e9, .published("NVIDIA A100 data sheet")),
    memoryBytesPerSecond: Sourced(2.039e12, .published("NVIDIA A100 data sheet")),
    arithmeticEfficiency: Sourced(0.6, .assumed("as on an H800")),
    memoryEfficiency: Sourced(0.85, .assumed("nearly as on an H800")),
    linkBytesPerSecond: Sourced(300e9, .published("NVIDIA A100 data sheet: NVLink, 600 GB/s both ways")),
    networkBytesPerSecond: Sourced(25e9, .published("NVIDIA DGX A100 data sheet: 200 Gb/s a device")),
    storageBytesPerSecond: Sourced(2e9, .assumed("solid-state disks of the server")), devicesPerServer: 8,
    watts: Sourced(812, .published("NVIDIA DGX A100 data sheet: 6.5 kW at most for eight")),
    powerUsageEffectiveness: Sourced(1.2, .assumed("a large data centre")),
    dollarsPerHour: Sourced(1.5, .assumed("a rent between $1 and $2")),
    dollarsPerKilowattHour: Sourced(0, .assumed("rent has electricity in it")))

  public static let m3Ultra = Hardware(
    name: "m3-ultra", description: "Apple M3 Ultra, Mac Studio with 512 GB",
    bf16FLOPsPerSecond: Sourced(28e12, .assumed("80 GPU cores of 128 lanes at 1.4 GHz; Apple names no figure")),
    eightBitFLOPsPerSecond: nil,
    memoryBytes: Sourced(512e9, .published("Apple, technical specifications")),
    memoryBytesPerSecond: Sourced(819e9, .published("Apple, technical specifications")),
    arithmeticEfficiency: Sourced(0.6, .assumed("as on other devices")),
    memoryEfficiency: Sourced(0.75, .assumed("as on other devices")),
    linkBytesPerSecond: Sourced(0, .assumed("one device")),
    networkBytesPerSecond: Sourced(10e9, .published("Apple, technical specifications: Thunderbolt 5, 80 Gb/s")),
    storageBytesPerSecond: Sourced(6e9, .assumed("the built-in disk")), devicesPerServer: 1,
    watts: Sourced(270, .assumed("near the most that the computer draws")),
    powerUsageEffectiveness: Sourced(1, .assumed("no cooling beside")),
    dollarsPerHour: Sourced(9499 / (4 * 8766.0), .assumed("$9499 over four years, always at work")),
    dollarsPerKilowattHour: Sourced(0.15, .assumed("a household's price")))

  public static let epycAVX2 = cores(
    "epyc-avx2", "two cores of an EPYC with AVX2", flops: Sourced(208e9, .measured("docs/performance.md: F32")),
    eightBit: Sourced(361e9, .measured("docs/performance.md: int8")), bandwidth: Sourced(28e9, .measured("docs/performance.md")))

  public static let epycAVX512 = cores(
    "epyc-avx512", "two cores of an EPYC with AVX-512 and VNNI", flops: Sourced(241e9, .measured("docs/performance.md: F32")),
    eightBit: Sourced(927e9, .measured("docs/performance.md: int8")), bandwidth: Sourced(58e9, .measured("docs/performance.md")))

  public static let xeonAMX = cores(
    "xeon-amx", "two cores of a Xeon with AMX",
    flops: Sourced(4.3e12, .assumed("1024 operations a cycle and core at 2.1 GHz; not measured")), eightBit: nil,
    bandwidth: Sourced(28e9, .assumed("as of the EPYC with AVX2")))

  private static func cores(
    _ name: String, _ description: String, flops: Sourced, eightBit: Sourced?, bandwidth: Sourced
  ) -> Hardware {
    Hardware(
      name: name, description: description, bf16FLOPsPerSecond: flops, eightBitFLOPsPerSecond: eightBit,
      memoryBytes: Sourced(16e9, .assumed("8 GB a core")), memoryBytesPerSecond: bandwidth,
      arithmeticEfficiency: Sourced(0.6, .assumed("as on other devices")),
      memoryEfficiency: Sourced(0.54, .measured("docs/performance.md: share of bandwidth of a Q4_0 model")),
      linkBytesPerSecond: Sourced(0, .assumed("one device")), networkBytesPerSecond: Sourced(1.25e9, .assumed("10 Gb/s")),
      storageBytesPerSecond: Sourced(1e9, .assumed("a solid-state disk")), devicesPerServer: 1,
      watts: Sourced(15, .assumed("two cores' share of a server")),
      powerUsageEffectiveness: Sourced(1.2, .assumed("a large data centre")),
      dollarsPerHour: Sourced(0.08, .assumed("rent of two virtual cores")),
      dollarsPerKilowattHour: Sourced(0, .assumed("rent has electricity in it")))
  }
}

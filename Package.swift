// swift-tools-version: 6.2
import Foundation
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A module of the product: the folder has the short name, the module carries the product's.
func module(_ folder: String, dependencies: [Target.Dependency] = []) -> Target {
  .target(name: "Swiftlet\(folder)", dependencies: dependencies, path: "Sources/\(folder)", swiftSettings: swiftSettings)
}

/// The tests of one module, with the oracle fixtures beside the scripts that made them.
func tests(_ folder: String, dependencies: [Target.Dependency] = []) -> Target {
  let path = "Tests/\(folder)Tests"
  let entries = (try? FileManager.default.contentsOfDirectory(atPath: Context.packageDirectory + "/" + path)) ?? []
  return .testTarget(
    name: "Swiftlet\(folder)Tests", dependencies: dependencies, path: path, exclude: entries.filter { !$0.hasSuffix(".swift") },
    swiftSettings: swiftSettings)
}

/// A few lines that show one use of the library.
func example(_ name: String, dependencies: [Target.Dependency] = ["Swiftlet"]) -> Target {
  .executableTarget(
    name: "\(name)Example", dependencies: dependencies, path: "Examples/\(name)", swiftSettings: swiftSettings)
}

/// The modules that read what others wrote.
let mutated: [Target.Dependency] = [
  "SwiftletGeneration", "SwiftletModels", "SwiftletTensors", "SwiftletCheckpoints", "SwiftletTokenization",
  "SwiftletChatTemplates", "SwiftletJSON",
]

let package = Package(
  name: "swiftlet",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Swiftlet", targets: ["Swiftlet"]),
    .library(name: "SwiftletTasks", targets: ["SwiftletTasks"]),
    .executable(name: "swiftlet", targets: ["SwiftletCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "CSwiftletKernels", path: "Sources/Kernels", publicHeadersPath: "include"),
    .target(name: "CSwiftletPage", path: "Sources/Page", exclude: ["site"], publicHeadersPath: "include"),
    .target(name: "CSwiftletReasoner", path: "Sources/Reasoner", exclude: ["weights"], publicHeadersPath: "include"),
    module("JSON"),
    module("Tensors", dependencies: ["CSwiftletKernels"]),
    module("Checkpoints", dependencies: ["CSwiftletKernels", "SwiftletTensors", "SwiftletJSON"]),
    module("Tokenization", dependencies: ["SwiftletJSON"]),
    module("ChatTemplates", dependencies: ["SwiftletJSON"]),
    module("Constraints", dependencies: ["SwiftletJSON", "SwiftletTokenization"]),
    module("Models", dependencies: ["SwiftletTensors", "SwiftletCheckpoints", "SwiftletJSON"]),
    module(
      "Generation",
      dependencies: [
        "SwiftletTensors", "SwiftletCheckpoints", "SwiftletJSON", "SwiftletModels", "SwiftletTokenization",
        "SwiftletChatTemplates", "SwiftletConstraints", .product(name: "Crypto", package: "swift-crypto"),
      ]),
    module(
      "Conversion",
      dependencies: ["SwiftletTensors", "SwiftletCheckpoints", "SwiftletJSON", "SwiftletModels", "SwiftletTokenization"]),
    module("Tasks", dependencies: ["SwiftletJSON"]),
    module(
      "Training",
      dependencies: [
        "SwiftletChatTemplates", "SwiftletTensors", "SwiftletCheckpoints", "SwiftletModels", "SwiftletTokenization",
        "SwiftletGeneration", "SwiftletTasks",
        "SwiftletConversion", "SwiftletJSON", .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Swiftlet",
      dependencies: [
        "SwiftletGeneration", "SwiftletModels", "SwiftletCheckpoints", "SwiftletTokenization", "SwiftletConstraints",
        "SwiftletChatTemplates", "SwiftletTensors", "SwiftletTasks", "SwiftletJSON",
      ],
      path: "Sources/Swiftlet", swiftSettings: swiftSettings),
    module(
      "Hub",
      dependencies: [
        "SwiftletJSON", "CSwiftletReasoner", .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    module(
      "Server",
      dependencies: [
        "Swiftlet", "SwiftletGeneration", "SwiftletModels", "SwiftletTokenization", "SwiftletChatTemplates",
        "SwiftletCheckpoints", "SwiftletConstraints", "SwiftletTasks", "SwiftletJSON", "CSwiftletPage",
        .product(name: "Crypto", package: "swift-crypto"), .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"), .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .executableTarget(
      name: "SwiftletCommand",
      dependencies: [
        "Swiftlet", "SwiftletGeneration", "SwiftletHub", "SwiftletServer", "SwiftletTensors", "SwiftletModels",
        "SwiftletCheckpoints", "SwiftletChatTemplates",
        "SwiftletConversion", "SwiftletTokenization", "SwiftletTraining", "SwiftletTasks", "SwiftletConstraints",
        "SwiftletJSON", .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      path: "Sources/Command", swiftSettings: swiftSettings),
    example("Chat"),
    example("Stream"),
    example("StructuredOutput"),
    example("OwnTask", dependencies: ["SwiftletTasks"]),

    // Small models, and a loopback hub.
    .target(
      name: "SwiftletTestSupport",
      dependencies: [
        "SwiftletJSON", .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Tests/Support", swiftSettings: swiftSettings),
    tests("JSON", dependencies: ["SwiftletJSON"]),
    tests("Tensors", dependencies: ["SwiftletTensors", "CSwiftletKernels"]),
    tests("Checkpoints", dependencies: ["SwiftletCheckpoints", "SwiftletTensors", "SwiftletJSON"]),
    tests("Tokenization", dependencies: ["SwiftletTokenization", "SwiftletJSON"]),
    tests("ChatTemplates", dependencies: ["SwiftletChatTemplates", "SwiftletJSON"]),
    tests(
      "Constraints",
      dependencies: [
        "SwiftletConstraints", "SwiftletGeneration", "SwiftletCheckpoints", "SwiftletTokenization", "SwiftletJSON",
        "SwiftletTestSupport",
      ]),
    tests("Models", dependencies: ["SwiftletModels", "SwiftletTensors", "SwiftletCheckpoints", "SwiftletJSON"]),
    tests(
      "Generation",
      dependencies: [
        "SwiftletGeneration", "Swiftlet", "SwiftletConversion", "SwiftletModels", "SwiftletTensors", "SwiftletCheckpoints",
        "SwiftletTokenization", "SwiftletChatTemplates", "SwiftletConstraints", "SwiftletTasks", "SwiftletJSON",
        "SwiftletTestSupport",
      ]),
    tests(
      "Conversion",
      dependencies: [
        "SwiftletConversion", "SwiftletGeneration", "SwiftletModels", "SwiftletTensors", "SwiftletCheckpoints",
        "SwiftletTokenization", "SwiftletChatTemplates", "SwiftletJSON", "SwiftletTestSupport",
      ]),
    tests("Tasks", dependencies: ["SwiftletTasks", "SwiftletJSON"]),
    tests(
      "Training",
      dependencies: [
        "SwiftletTraining", "SwiftletConversion", "SwiftletGeneration", "SwiftletModels", "SwiftletTokenization",
        "SwiftletCheckpoints", "SwiftletTensors", "SwiftletTasks", "SwiftletJSON",
      ]),
    tests("Hub", dependencies: ["SwiftletHub", "SwiftletTestSupport"]),
    tests(
      "Server",
      dependencies: [
        "SwiftletServer", "Swiftlet", "SwiftletGeneration", "SwiftletConstraints", "SwiftletJSON", "SwiftletTestSupport",
        .product(name: "GRDB", package: "GRDB.swift"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"), .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    // The command's tests run the built command.
    tests("Command", dependencies: ["SwiftletCommand", "SwiftletHub", "SwiftletServer", "SwiftletJSON", "SwiftletTestSupport"]),
    // Broken inputs for every parser, for the tests and for `make mutations`.
    .target(name: "CSwiftletAllocations", path: "Tests/Mutations/Allocations"),
    .target(
      name: "SwiftletMutationCases", dependencies: mutated + ["CSwiftletAllocations"], path: "Tests/Mutations/Cases",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "SwiftletMutations", dependencies: mutated + ["CSwiftletAllocations", "SwiftletMutationCases"],
      path: "Tests/Mutations/Command", swiftSettings: swiftSettings),
    tests("Robustness", dependencies: mutated + ["SwiftletMutationCases"]),
  ]
)

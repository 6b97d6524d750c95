// swift-tools-version: 6.2
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
  .testTarget(
    name: "Swiftlet\(folder)Tests",
    dependencies: [.init(stringLiteral: "Swiftlet\(folder)")] + dependencies,
    path: "Tests/\(folder)Tests",
    exclude: ["Fixtures"],
    swiftSettings: swiftSettings)
}

let package = Package(
  name: "swiftlet",
  platforms: [.macOS(.v15)],
  products: [
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    .target(name: "CSwiftletKernels", path: "Sources/Kernels", publicHeadersPath: "include"),
    module("JSON"),
    module("Tokenization", dependencies: ["SwiftletJSON"]),
    module("ChatTemplates", dependencies: ["SwiftletJSON"]),
    tests("JSON"),
    tests("ChatTemplates", dependencies: ["SwiftletJSON"]),
  ]
)

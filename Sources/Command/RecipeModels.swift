import Foundation
import SwiftletHub
import SwiftletTraining

extension Recipe {
  /// `model.from` and `distill.teacher` may be what every command takes for a model, where they are no paths beside the recipe.
  /// - Parameter find: the path of a model by such a name.
  mutating func resolveModels(_ find: (String) async throws -> String) async throws {
    if case .checkpoint(let name) = model, let path = try await path(name, "model.from", find) { model = .checkpoint(path) }
    if let name = distillation?.teacher, let path = try await path(name, "distill.teacher", find) {
      distillation?.teacher = path
    }
  }

  /// - Returns: nil for what is a path beside the recipe.
  private func path(_ name: String, _ key: String, _ find: (String) async throws -> String) async throws -> String? {
    let path = resolved(name)
    if FileManager.default.fileExists(atPath: path) { return nil }
    guard !name.hasPrefix("."), !name.hasPrefix("/"), !name.hasPrefix("~"),
      !FileManager.default.fileExists(atPath: resolved(String(name.prefix { $0 != "/" })))
    else {
      throw CommandError("\(file), \(key): \(path) is not there, expected a folder of a model or a GGUF file.")
    }
    do {
      return URL(fileURLWithPath: try await find(name)).path
    } catch let error as HubError {
      throw CommandError("\(file), \(key): \(error)")
    }
  }
}

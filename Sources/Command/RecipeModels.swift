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
    let path = resolved(name), isAlias = ModelAlias.all.contains { $0.name == name.lowercased() }
    // A folder of other things may have the name of a model, as Recipes/smollm2.
    if isAlias ? Self.isModel(path) : FileManager.default.fileExists(atPath: path) { return nil }
    let isPath =
      [".", "/", "~"].contains { name.hasPrefix($0) }
      || FileManager.default.fileExists(atPath: resolved(String(name.prefix { $0 != "/" })))
    guard isAlias || !isPath else {
      throw CommandError("\(file), \(key): \(path) is not there, expected a folder of a model or a GGUF file.")
    }
    do {
      return URL(fileURLWithPath: try await find(name)).path
    } catch let error as HubError {
      throw CommandError("\(file), \(key): \(error)")
    }
  }

  /// Whether there is a file, or a folder with the configuration of a model.
  private static func isModel(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return false }
    return !isFolder.boolValue || FileManager.default.fileExists(atPath: path + "/config.json")
  }
}

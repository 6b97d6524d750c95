import Foundation
import SwiftletTensors
import Testing

@testable import SwiftletTraining

/// `data.fill_in_middle` of a recipe.
@Suite struct FillInMiddleRecipeTests {
  private func recipe(_ folder: DataFolder, _ line: String?, _ changes: [String: String?] = [:]) throws -> Recipe {
    let changes = changes.merging(["held_out": "  held_out: 0.2" + (line.map { "\n  fill_in_middle: \($0)" } ?? "")]) { $1 }
    return try RecipeSample.recipe(folder, changes)
  }

  /// Documents of the run's training data, and how many of them are exercises.
  private func counts(_ folder: DataFolder, tokens: [Int] = [3, 4, 5]) throws -> (all: Int, changed: Int) {
    let data = try TokenDataset(folder: folder.file("run/data")), all = data.tokens
    let changed = (0..<data.documentCount).count { index in
      let document = all[data.document(index)]
      return document.filter { tokens.contains($0) } == tokens
    }
    return (data.documentCount, changed)
  }

  @Test func rateAndTokensAreTheRecipes() throws {
    let folder = try DataFolder()
    _ = try PreparedRun(recipe(folder, nil), threadCount: 1)
    #expect(try counts(folder).changed == 0)
    // Another rate packs anew, in the same folder.
    _ = try PreparedRun(recipe(folder, "0.5"), threadCount: 1)
    let (all, half) = try counts(folder)
    #expect((all / 4...3 * all / 4).contains(half))
    _ = try PreparedRun(recipe(folder, "{rate: 1}"), threadCount: 1)
    #expect(try counts(folder) == (all, all))
    // Tokens by name: DeepSeek's three the other way round.
    let names = "['<｜fim▁end｜>', '<｜fim▁hole｜>', '<｜fim▁begin｜>']"
    _ = try PreparedRun(recipe(folder, "{rate: 1, tokens: \(names)}"), threadCount: 1)
    #expect(try counts(folder, tokens: [5, 4, 3]) == (all, all))
    _ = try PreparedRun(recipe(folder, "0"), threadCount: 1)
    #expect(try counts(folder) == (all, 0))
  }

  @Test func begunRunsKeepTheirRate() throws {
    let folder = try DataFolder()
    do {
      let trainer = try Trainer(PreparedRun(recipe(folder, "0.5"), threadCount: 1), compute: Compute(threadCount: 1))
      _ = try trainer.train(until: 5)
    }
    let packed = try folder.contents("run/data")
    for line in ["0.1", nil] {
      let error = try #require(throws: RecipeError.self) { _ = try PreparedRun(recipe(folder, line), threadCount: 1) }
      #expect(error.key == "data.fill_in_middle" && error.reason.contains("was begun with '0.5'"), "\(error)")
    }
    #expect(try folder.contents("run/data") == packed)
  }

  @Test(arguments: [
    ("2", "data.fill_in_middle", "expected a number from 0.0 to 1.0"),
    ("{tokens: [a, b, c]}", "data.fill_in_middle.rate", "is missing"),
    ("{rate: 0.1, tokens: [a, b]}", "data.fill_in_middle.tokens", "expected three different tokens"),
    ("{rate: 0.1, tokens: [a, b, a]}", "data.fill_in_middle.tokens", "expected three different tokens"),
    ("{rate: 0.1, tokens: [<none>, b, c]}", "data.fill_in_middle.tokens", "'<none>' is no token"),
  ])
  func wrongOnesAreNamed(line: String, key: String, reason: String) throws {
    let folder = try DataFolder()
    let error = try #require(throws: RecipeError.self) { _ = try PreparedRun(recipe(folder, line), threadCount: 1) }
    #expect(error.key == key && error.reason.contains(reason), "\(error)")
  }

  /// Texts alone: datasets were packed before.
  @Test func datasetsHaveTheirOwn() throws {
    let text = RecipeSample.text(["text": "  datasets: [a]", "held_out": "  fill_in_middle: 0.1"])
    let error = try #require(throws: RecipeError.self) { try Recipe(yaml: text, file: "r.yaml") }
    #expect(error.key == "data.fill_in_middle" && error.reason.contains("swiftlet data pack"))
  }
}

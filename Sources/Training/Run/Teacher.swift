internal import Foundation
internal import SwiftletCheckpoints
internal import SwiftletConversion
internal import SwiftletGeneration
internal import SwiftletModels
internal import SwiftletTokenization

/// The teacher of a recipe, opened and compared with the student before anything is computed.
struct Teacher {
  let base: HubModel
  let settings: Recipe.Distillation

  /// - Returns: nil for recipes without one.
  init?(_ recipe: Recipe) throws(RecipeError) {
    guard let settings = recipe.distillation else { return nil }
    self.settings = settings
    do {
      base = try HubModel(path: recipe.resolved(settings.teacher))
    } catch {
      throw recipe.error("distill.teacher", "\(error)")
    }
    guard recipe.sequenceLength <= base.configuration.contextLength else {
      throw recipe.error(
        "sequence_length",
        "found \(recipe.sequenceLength), expected at most the teacher's max_position_embeddings, \(base.configuration.contextLength)"
      )
    }
  }

  /// Compares vocabularies: every token must have the same id.
  /// - Parameters:
  ///   - tokenizer: the student's; nil where the data alone says what its vocabulary is.
  ///   - identity: of the data.
  func checkVocabulary(_ tokenizer: Tokenizer?, identity: VocabularyIdentity?, _ recipe: Recipe) throws(RecipeError) {
    func wrong(_ reason: String) -> RecipeError {
      recipe.error(
        "distill.teacher",
        "\(reason); expected the student's vocabulary. Another one's teacher can give answers: swiftlet distill")
    }
    let own: Tokenizer
    do {
      own = try LoadedModel.tokenizer(path: base.path)
    } catch {
      throw recipe.error("distill.teacher", "\(error)")
    }
    guard let tokenizer else {
      guard let identity, VocabularyIdentity(own) == identity else {
        throw wrong("its vocabulary of \(own.vocabularySize) tokens is not that of the data")
      }
      return
    }
    guard own.vocabularySize == tokenizer.vocabularySize else {
      throw wrong("its vocabulary has \(own.vocabularySize) tokens, the student's \(tokenizer.vocabularySize)")
    }
    for id in 0..<Int32(clamping: own.vocabularySize) where !own.bytes(of: id).elementsEqual(tokenizer.bytes(of: id)) {
      let (one, two) = (own.decode([id]), tokenizer.decode([id]))
      throw wrong("token \(id) is '\(CheckpointError.excerpt(one, 40))', the student's '\(CheckpointError.excerpt(two, 40))'")
    }
  }

  /// Tokens that both have probabilities for: heads may be padded to different sizes.
  func vocabulary(beside student: ModelConfiguration) -> Int { min(base.configuration.vocabularySize, student.vocabularySize) }

  /// What tells it from other teachers, or copies of it.
  var fingerprint: String {
    String(Checksum64.of(Array(base.config.serialized().utf8)), radix: 16) + " " + base.fingerprint
  }
}

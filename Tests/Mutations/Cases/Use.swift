import SwiftletModels
import SwiftletTensors
import SwiftletTokenization

/// Runs a model over two prompt tokens and a generated one: weights that were accepted must be computable.
/// - Parameter isFinite: whether the weights are whole, so that no logit may be infinite or NaN.
func forward(_ decoder: Decoder, _ compute: Compute, isFinite: Bool = false) throws {
  let last = decoder.configuration.vocabularySize - 1
  let cache = decoder.makeCache(capacity: 3)
  let prompt = decoder.forward([.init(tokens: [0, last], cache: cache, output: .all)], role: .prompt, compute: compute)
  guard prompt.shape == [2, last + 1] else { throw Violation("logits of shape \(prompt.shape)") }
  let values = prompt.floatArray()
  let next = decoder.forward([.init(tokens: [last / 2], cache: cache, output: .last)], role: .generated, compute: compute)
  guard next.shape == [1, last + 1] else { throw Violation("logits of shape \(next.shape)") }
  guard !isFinite || (values + next.floatArray()).allSatisfy(\.isFinite) else {
    throw Violation("logits that are no numbers: \(decoder.configuration)")
  }
}

/// Uses a tokenizer that was accepted.
func use(_ tokenizer: Tokenizer) throws {
  let ids = tokenizer.encode("Hello, wörld 123 深度 <|im_end|>\n", addingBeginningOfSequence: true)
  guard ids.allSatisfy((0..<Int32(tokenizer.vocabularySize)).contains) else { throw Violation("ids out of range: \(ids)") }
  _ = tokenizer.decode(ids + [-1, .max, .min])
  for id in tokenizer.generationEnds { _ = tokenizer.bytes(of: id) }
}

/// Where guesses of the next tokens come from. A pass over the model checks several guesses at once, and those that were right save
/// passes. The answer is the same with and without: a guess counts only if it is the token that would have been chosen anyway.
/// Source: Leviathan et al. 2023, for guesses that are certain of one token.
public enum Drafting: String, Sendable, CaseIterable {
  /// The checkpoint's own layer where it has one, else none.
  case automatic = "auto"
  case none
  /// The layer of DeepSeek-V3 and R1 that predicts the token after the next.
  case multiTokenPrediction = "mtp"
  /// What followed the last tokens where they stood before, in prompt or answer.
  case promptLookup = "lookup"
}

/// How drafting went.
public struct DraftCounts: Sendable, Equatable {
  public var drafting: Drafting
  /// Passes over the model, of which each yields one token at least.
  public var passes = 0
  /// What the passes yielded.
  public var tokens = 0
  /// Tokens that were guessed.
  public var proposed = 0
  /// Guesses that were right.
  public var accepted = 0
  /// Of passes that have ended: how long they took, what they yielded, and the shortest of those without a guess.
  fileprivate var seconds = 0.0
  fileprivate var timedTokens = 0
  fileprivate var plainPassSeconds: Double?

  init(drafting: Drafting) { self.drafting = drafting }

  /// How many times as fast the answer came as it would have without guesses, by the time of a pass without one. An estimate from a
  /// few passes; `DraftBenchmark` measures. nil before passes with and without guesses have ended.
  public var gain: Double? {
    guard let plainPassSeconds, proposed > 0, seconds > 0 else { return nil }
    return plainPassSeconds * Double(timedTokens) / seconds
  }

  public var acceptance: Double { proposed > 0 ? Double(accepted) / Double(proposed) : 0 }
  /// 1 without any right guess.
  public var tokensPerPass: Double { passes > 0 ? Double(tokens) / Double(passes) : 0 }
}

/// Guesses the next tokens of one sequence.
struct Drafter {
  /// Guesses are made while this share of them is right, and now and then after that, to see whether it is again.
  private static let worthwhileAcceptance = 0.3
  private static let passesBetweenTries = 16
  /// The first passes have no guesses, to have their time to compare with.
  private static let plainPasses = 3
  /// How many tokens back the share of right guesses looks.
  private static let memory = 16.0

  private(set) var counts: DraftCounts
  private let limit: Int
  private var lookup: PromptLookup?
  /// Those of the pass in progress, of which the first `right` were chosen.
  private var guesses: [Int32] = []
  private var right = 0
  /// Tokens that earlier passes yielded.
  private var tokensBefore = 0
  /// The guess of the prediction layer.
  private var predicted: Int32?
  /// How many tokens to guess: more as long as all are right.
  private var length = 2
  private var recentAcceptance = 1.0
  private var passesSinceTry = 0

  /// - Parameters:
  ///   - limit: the most tokens to guess at once.
  ///   - prompt: what a lookup searches.
  init(_ drafting: Drafting, limit: Int, prompt: [Int32]) {
    counts = DraftCounts(drafting: drafting)
    self.limit = limit
    if drafting == .promptLookup {
      lookup = PromptLookup()
      for token in prompt { lookup?.append(token) }
    }
  }

  /// Whether the decoder's prediction layer is to be asked.
  var wantsPrediction: Bool { counts.drafting == .multiTokenPrediction }

  /// Notes a token that was chosen.
  mutating func append(_ token: Int32) {
    lookup?.append(token)
    // The prompt's pass yields a token before anything is guessed.
    if counts.passes == 0 { return }
    counts.tokens += 1
    if right < guesses.count, guesses[right] == token {
      right += 1
      counts.accepted += 1
    }
  }

  /// What the prediction layer says comes behind the last token.
  mutating func predict(_ token: Int32?) { predicted = token }

  /// - Parameter room: the most tokens there is place for.
  mutating func draft(room: Int) -> [Int32] {
    counts.passes += 1
    passesSinceTry += 1
    (guesses, right) = ([], 0)
    tokensBefore = counts.tokens
    if counts.passes <= Self.plainPasses { return [] }
    let isWorthwhile = recentAcceptance >= Self.worthwhileAcceptance || passesSinceTry >= Self.passesBetweenTries
    guard isWorthwhile, room > 0 else { return [] }
    guesses = lookup?.continuation(min(length, limit, room)) ?? predicted.map { [$0] } ?? []
    counts.proposed += guesses.count
    if !guesses.isEmpty { passesSinceTry = 0 }
    return guesses
  }

  /// Ends a pass: learns from how many of its guesses were right.
  mutating func endPass(seconds: Double, withoutPrediction plainSeconds: Double) {
    counts.seconds += seconds
    counts.timedTokens += counts.tokens - tokensBefore
    if guesses.isEmpty { counts.plainPassSeconds = min(counts.plainPassSeconds ?? plainSeconds, plainSeconds) }
    guard !guesses.isEmpty else { return }
    // What comes behind a wrong guess was not looked at.
    let looked = min(guesses.count, right + 1)
    let weight = min(1, Double(looked) / Self.memory)
    recentAcceptance += weight * (Double(right) / Double(looked) - recentAcceptance)
    length = right == guesses.count ? min(limit, length * 2) : max(1, right)
  }
}

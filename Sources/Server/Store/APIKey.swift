internal import Crypto
public import Foundation
internal import GRDB

/// A key as the database knows it: the key itself is not among what is kept.
public struct APIKey: Sendable, Equatable {
  public var id: Int64
  /// Stands for the key where what was computed for it is kept, also when another database gives its number to another key.
  var tenant: Int
  /// How the key begins, to tell it from others.
  public var prefix: String
  public var name: String
  /// Whether it may read `/metrics`.
  public var isAdmin: Bool
  /// What is left of what came with the key, which is used first, and of what was put on it later. Together they may be below zero: what
  /// was computed when the balance ran out is charged too.
  public var granted: Money
  public var toppedUp: Money
  public var limits: KeyLimits
  public var created: Date
  public var expires: Date?
  public var revoked: Date?

  public var balance: Money { granted + toppedUp }

  init(_ row: Row) {
    func date(_ column: String) -> Date? { (row[column] as Int64?).map { Date(timeIntervalSince1970: Double($0)) } }
    id = row["id"]
    tenant = KeySecret.tenant(hash: row["hash"])
    prefix = row["prefix"]
    name = row["name"]
    isAdmin = row["is_admin"]
    granted = Money(picodollars: row["granted"])
    toppedUp = Money(picodollars: row["topped_up"])
    limits = KeyLimits(
      requestsPerMinute: row["requests_per_minute"], tokensPerMinute: row["tokens_per_minute"], parallel: row["parallel"])
    created = date("created") ?? .distantPast
    expires = date("expires")
    revoked = date("revoked")
  }

  public var state: State { state(at: .now) }

  /// The state is asked anew each time: when the clock jumps past the key's day and back, the key is valid again.
  func state(at time: Date) -> State {
    if revoked != nil { return .revoked }
    if let expires, expires <= time { return .expired }
    return .valid
  }

  public enum State: String, Sendable {
    case valid
    case expired
    case revoked
  }
}

/// How much a key may ask for; nil is no limit.
public struct KeyLimits: Sendable, Equatable {
  public var requestsPerMinute: Int?
  /// Of prompts and answers together.
  public var tokensPerMinute: Int?
  /// Requests in progress at once, those that wait included.
  public var parallel: Int?

  public init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, parallel: Int? = nil) {
    self.requestsPerMinute = requestsPerMinute
    self.tokensPerMinute = tokensPerMinute
    self.parallel = parallel
  }
}

/// The secret that a client sends: `sk-` and 43 characters out of 62, which are 256 random bits.
enum KeySecret {
  private static let characters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  private static let characterCount = 43
  static let prefixLength = 9

  /// The system's generator is made for secrets (getrandom).
  static func random() -> String {
    var generator = SystemRandomNumberGenerator()
    return "sk-" + String((0..<characterCount).compactMap { _ in characters.randomElement(using: &generator) })
  }

  /// A key has as many random bits as its hash has, so nothing is gained by making the hash slow, as for passwords. A look-up by the
  /// hash takes no other time for a key that is nearly right: nobody can choose how a hash begins.
  static func hash(_ secret: String) -> Data { Data(SHA256.hash(data: Data(secret.utf8))) }

  /// 64 bits of a hash; 0 stands for requests without a key.
  static func tenant(hash: Data) -> Int { Int(truncatingIfNeeded: hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }) }
}

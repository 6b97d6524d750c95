import ArgumentParser
import Foundation
import SwiftletJSON
import SwiftletServer

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Makes and revokes the keys of the server, and puts money on them.",
    discussion: """
      As soon as there is a key, the server answers only who sends one. A running
      server sees every change at once. A key is shown when it is made and never
      again: the database holds its SHA-256 alone. KEY is a key's number, name or
      beginning, as `swiftlet keys list` shows them, or the key itself.

      EXAMPLES
        swiftlet keys create alice --balance 5 --requests-per-minute 60
        swiftlet keys top-up alice 2.50
        swiftlet keys revoke alice

      ENVIRONMENT
      \(HelpText.data)
      """,
    subcommands: [KeysCreateCommand.self, KeysListCommand.self, KeysRevokeCommand.self, KeysTopUpCommand.self],
    defaultSubcommand: KeysListCommand.self)

  static func members(_ key: APIKey) -> [JSONMember] {
    func number(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
    func date(_ date: Date?) -> JSONValue { date.map { .string($0.formatted(.iso8601)) } ?? .null }
    let values: [(String, JSONValue)] = [
      ("id", .integer(Int(key.id))), ("name", .string(key.name)), ("prefix", .string(key.prefix)),
      ("state", .string(key.state.rawValue)), ("admin", .bool(key.isAdmin)), ("balance", .string(key.balance.description)),
      ("granted_balance", .string(key.granted.description)), ("topped_up_balance", .string(key.toppedUp.description)),
      ("requests_per_minute", number(key.limits.requestsPerMinute)), ("tokens_per_minute", number(key.limits.tokensPerMinute)),
      ("parallel", number(key.limits.parallel)), ("created", date(key.created)), ("expires", date(key.expires)),
      ("revoked", date(key.revoked)),
    ]
    return values.map { JSONMember(key: $0.0, value: $0.1) }
  }

  /// Prints a key after a change.
  static func show(_ key: APIKey, _ text: String, json: Bool) {
    if json { Output.line(.object(members(key))) } else { Output.write(text + "\n") }
  }
}

struct KeysCreateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "create", abstract: "Makes a key and shows it, this once.")

  @Argument(help: "What the key is called.")
  var name = ""
  @Option(help: ArgumentHelp("Dollars that come with it.", valueName: "usd"))
  var balance: String?
  @Option(help: ArgumentHelp("The most requests in a minute.", valueName: "n"))
  var requestsPerMinute: Int?
  @Option(help: ArgumentHelp("The most tokens of prompts and answers in a minute.", valueName: "n"))
  var tokensPerMinute: Int?
  @Option(help: ArgumentHelp("The most requests in progress at once.", valueName: "n"))
  var parallel: Int?
  @Option(help: ArgumentHelp("Days after which the key is no longer taken.", valueName: "days"))
  var expires: Double?
  @Flag(help: "Lets the key read /metrics.")
  var admin = false
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var data: DataArguments

  func validate() throws {
    let unseen: Set<Unicode.GeneralCategory> = [.control, .lineSeparator, .paragraphSeparator]
    guard name.count <= 100, !name.unicodeScalars.contains(where: { unseen.contains($0.properties.generalCategory) }) else {
      throw ValidationError("NAME: expected one line of at most 100 characters, without control characters.")
    }
    let limits = 1...1_000_000_000
    try Self.check("requests-per-minute", requestsPerMinute, in: limits)
    try Self.check("tokens-per-minute", tokensPerMinute, in: limits)
    try Self.check("parallel", parallel, in: limits)
    if let expires, !(0...36500 ~= expires && expires > 0) {
      throw ValidationError("--expires: found \(expires), expected a number of days up to 36500.")
    }
    if let balance, Money(dollars: balance).map({ $0 >= .zero }) != true {
      throw ValidationError("--balance: found '\(balance)', expected dollars such as 12.50, at most a million.")
    }
  }

  func run() throws {
    let (secret, key) = try data.store().createKey(
      name: name, balance: balance.flatMap { Money(dollars: $0) } ?? .zero,
      limits: KeyLimits(requestsPerMinute: requestsPerMinute, tokensPerMinute: tokensPerMinute, parallel: parallel),
      isAdmin: admin, expires: expires.map { Date.now + $0 * 86400 })
    if json { return Output.line(.object([JSONMember(key: "key", value: .string(secret))] + KeysCommand.members(key))) }
    Output.write(secret + "\n")
    if Output.errorIsTerminal { Output.note("Key \(key.id). It is not shown again.") }
  }
}

struct KeysListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Shows all keys and what is left on them.")

  @Flag(help: "Prints a JSON array.")
  var json = false
  @OptionGroup var data: DataArguments

  func run() throws {
    let keys = try data.store().keys()
    if json { return Output.line(.array(keys.map { .object(KeysCommand.members($0)) })) }
    if keys.isEmpty { return Output.note("No keys yet. `swiftlet keys create` makes one.") }
    func limit(_ value: Int?) -> String { value.map(String.init) ?? "-" }
    let rows = keys.map { key in
      [
        "\(key.id)", key.name, key.prefix + "…", key.balance.description, limit(key.limits.requestsPerMinute),
        limit(key.limits.tokensPerMinute), limit(key.limits.parallel),
        key.state.rawValue + (key.isAdmin ? ", admin" : ""),
      ]
    }
    Output.write(
      Output.table([["ID", "NAME", "KEY", "BALANCE", "REQUESTS/MIN", "TOKENS/MIN", "PARALLEL", "STATE"]] + rows, leftAligned: 3))
  }
}

struct KeysRevokeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "revoke", abstract: "Takes a key out of use, for good.")

  @Argument(help: "The key's number, name or beginning.")
  var key: String
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var data: DataArguments

  func run() throws {
    let store = try data.store()
    let revoked = try store.revokeKey(try store.findKey(key).id)
    KeysCommand.show(revoked, "Revoked \(revoked.prefix)…", json: json)
  }
}

struct KeysTopUpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "top-up", abstract: "Adds to what is on a key.")

  @Argument(help: "The key's number, name or beginning.")
  var key: String
  @Argument(help: ArgumentHelp("Dollars, such as 12.50; after `--` below zero, to take some off.", valueName: "usd"))
  var amount: String
  @Flag(help: "Prints one JSON object.")
  var json = false
  @OptionGroup var data: DataArguments

  func validate() throws {
    guard let money = Money(dollars: amount), money != .zero else {
      throw ValidationError("USD: found '\(amount)', expected dollars such as 12.50, at most a million.")
    }
  }

  func run() throws {
    let store = try data.store()
    let changed = try store.topUpKey(try store.findKey(key).id, by: Money(dollars: amount) ?? .zero)
    KeysCommand.show(changed, "\(changed.prefix)… has \(changed.balance) dollars.", json: json)
  }
}

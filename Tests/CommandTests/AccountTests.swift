import Foundation
import SwiftletJSON
import SwiftletTestSupport
import Testing

/// `swiftlet keys` and `swiftlet usage`, and the file of `serve`.
@Suite struct AccountTests {
  private let runner: CommandRunner

  init() throws { runner = try CommandRunner() }

  @Test func keysAreMadeShownAndRevoked() async throws {
    let created = try await runner.succeed(
      "keys", "create", "alice", "--balance", "2.50", "--requests-per-minute", "60", "--expires", "30")
    let secret = created.output.trimmingCharacters(in: .newlines)
    #expect(secret.wholeMatch(of: /sk-[0-9A-Za-z]{43}/) != nil && created.errors.isEmpty)
    let list = try await runner.succeed("keys", "list", "--json").json
    let key = try #require(list.elements?.first)
    #expect(list.elements?.count == 1 && key["name"]?.string == "alice" && key["state"]?.string == "valid")
    #expect(key["prefix"]?.string == String(secret.prefix(9)) && key["balance"]?.string == "2.50")
    #expect(key["requests_per_minute"]?.integer == 60 && key["parallel"]?.isNull == true)
    #expect(!list.serialized().contains(secret))
    let more = try await runner.succeed("keys", "top-up", "alice", "0.000001")
    #expect(more.output == "\(secret.prefix(9))… has 2.500001 dollars.\n")
    #expect(try await runner.succeed("keys", "top-up", "1", "--json", "--", "-0.5").json["balance"]?.string == "2.000001")
    #expect(try await runner.succeed("keys", "revoke", secret).output == "Revoked \(secret.prefix(9))…\n")
    let table = try await runner.succeed("keys").output.split(separator: "\n")
    #expect(table.count == 2 && table[0].hasPrefix("ID  NAME") && table[1].hasSuffix("revoked"))
    // In the folder that the XDG specification names, for its owner alone.
    let path = runner.folder + "/.local/share/swiftlet"
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
    #expect(FileManager.default.fileExists(atPath: path + "/server.sqlite"))
  }

  @Test(arguments: [
    (["keys", "create", "--balance", "-1"], "--balance"), (["keys", "create", "--balance", "1e9"], "--balance"),
    (["keys", "create", "--parallel", "0"], "--parallel"), (["keys", "create", "--expires", "0"], "--expires"),
    (["keys", "create", "a\nb"], "NAME"), (["keys", "create", "a\u{1B}[2J"], "NAME"),
    (["keys", "top-up", "x", "1"], "there is no key 'x'"),
    (["keys", "revoke", "7"], "there is no key '7'"), (["keys", "top-up", "x", "0"], "USD"),
    (["usage", "--since", "yesterday"], "--since"), (["usage", "--by", "week"], "week"),
    (["keys", "list", "--data", "/dev/null"], "server.sqlite cannot be used"),
    (["cache", "clear", "--prefixes", "--data", ""], "--data: is empty"),
  ]) func whatIsWrongIsNamed(arguments: [String], expected: String) async throws {
    let result = try await runner.run(arguments)
    #expect(result.status != 0 && result.output.isEmpty)
    #expect(result.errors.contains(expected), "\(result.errors)")
  }

  /// A script whose variable is not set revokes no key that happens to have no name.
  @Test func anEmptyTextNamesNoKey() async throws {
    _ = try await runner.succeed("keys", "create")
    for arguments in [["keys", "revoke", ""], ["keys", "top-up", "", "1"]] {
      let result = try await runner.run(arguments)
      #expect(result.status == 1 && result.output.isEmpty && result.errors.contains("there is no key ''"), "\(result.errors)")
    }
    let key = try #require(try await runner.succeed("keys", "list", "--json").json.elements?.first)
    #expect(key["state"]?.string == "valid" && key["balance"]?.string == "0.00")
  }

  @Test(arguments: [["keys", "list"], ["usage"], ["serve"]]) func damagedDatabasesAreNamed(arguments: [String]) async throws {
    let folder = runner.folder + "/data"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(repeating: 0x41, count: 5000).write(to: URL(fileURLWithPath: folder + "/server.sqlite"))
    let result = try await runner.run(arguments + ["--data", folder])
    #expect(result.status == 1 && result.output.isEmpty)
    #expect(result.errors.contains("\(folder)/server.sqlite is damaged") && result.errors.contains("put back a copy"))
  }

  @Test func usageHasThreeFormats() async throws {
    let data = ["SWIFTLET_DATA": runner.folder + "/data"]
    #expect(try await runner.succeed("usage", "--format", "json", environment: data).json.elements?.isEmpty == true)
    let csv = try await runner.succeed("usage", "--by", "key", "--since", "7d", "--format", "csv", environment: data)
    #expect(
      csv.output == "key,requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,charge\r\n")
    #expect(try await runner.succeed("usage", "--since", "2026-01-31", environment: data).output.hasPrefix("DAY  REQUESTS"))
  }

  @Test func brokenFilesOfSettingsAreRefused() async throws {
    let cases = [
      ("{", "is no JSON"), ("[]", "expected an object"), (#"{"prot": 1}"#, #""prot" is not known"#),
      (#"{"port": 1, "port": 2}"#, "twice"), (#"{"port": "1"}"#, "port: found a string"),
      (#"{"port": 70000}"#, "port: found 70000"), (#"{"parallel": 0}"#, "parallel: found 0"),
      (#"{"log-level": "loud"}"#, "log-level"), (#"{"cors-origin": "x"}"#, "an array of strings"),
      (#"{"cache-limit": "much"}"#, "cache-limit"), (#"{"chat-size": "much"}"#, "chat-size"),
      (#"{"chat-storage": 5}"#, "chat-storage: found an integer"), (#"{"data": ""}"#, "--data: is empty"),
      (#"{"cache": ""}"#, "--cache: is empty"),
      (#"{"prices": {"m": {"cache_hit": 1}}}"#, "prices: m: cache_miss: is missing"),
      (#"{"prices": {"m": {"cache_hit": 1, "cache_miss": 1, "output": 0.0000001}}}"#, "six decimals"),
      (#"{"prices": {"m": {"cache_hit": 1, "cache_miss": 1, "output": -1}}}"#, "output: found -1"),
      (#"{"prices": {"m": {"cache_hit": 1, "cache_miss": 1, "output": 1, "input": 1}}}"#, #""input" is not known"#),
      (#"{"alarm": {"token": 1}}"#, #""token" is not known"#), (#"{"policy": "none.json"}"#, "none.json cannot be read"),
      (#"{"tls-key": "k.pem"}"#, "--tls-certificate and --tls-key"), (#"{"host": "0.0.0.0"}"#, "swiftlet keys create"),
    ]
    let model = try TinyModels.chat(in: runner.folder)
    for (text, expected) in cases {
      let file = try runner.file("server.json", text)
      let result = try await runner.run(["serve", model, "--port", "0", "--config", file])
      #expect(result.status != 0 && result.errors.contains(expected), "\(text): \(result.errors)")
    }
    let missing = try await runner.run(["serve", model], environment: ["SWIFTLET_CONFIG": "missing.json"])
    #expect(missing.status != 0 && missing.errors.contains("missing.json cannot be read"))
  }
}

import Foundation

/// Where the hub is, where its files are kept and how patiently it is asked.
///
/// The only place that reads the hub's environment variables: `HF_HOME`, `HF_HUB_CACHE` (and its older name `HUGGINGFACE_HUB_CACHE`),
/// `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_ENDPOINT`, `HF_HUB_OFFLINE` and `XDG_CACHE_HOME`, with the meaning that `huggingface_hub` gives
/// them, so that files and logins are shared with other tools; the variables of proxies; and `TMPDIR`.
public struct HubConfiguration: Sendable {
  /// The hub's address without a slash at its end, `https://huggingface.co` unless `HF_ENDPOINT` says another.
  public var endpoint: String
  /// `HF_HOME`, else `$XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface`.
  public var home: String
  /// `HF_HUB_CACHE`, else `hub` in `home`: the folder of the `models--org--repo` folders.
  public var cache: String
  /// `HF_TOKEN`, else the content of the file `HF_TOKEN_PATH`, which is `token` in `home` unless set; else nil.
  public var token: String?
  /// `HF_HUB_OFFLINE` is 1, true, yes or on: nothing may be fetched.
  public var isOffline: Bool
  public var retries = RetryPolicy()
  /// The longest silence of a server, while connecting and within a response.
  public var connectTimeout: Duration = .seconds(10)
  public var readTimeout: Duration = .seconds(30)
  /// How long the hub may take to show that it can be reached at all.
  public var probeTimeout: Duration = .seconds(3)
  /// The Python whose pip fetches wheels: a command on the path, or a path.
  public var python = "python3"
  /// The way to the hub and to where it redirects.
  var proxies: ProxySettings
  /// Called with a line for the person who waits, such as `waiting 60 s: huggingface.co limits requests (status 429)`.
  public var onWait: (@Sendable (String) -> Void)?
  /// Bytes that may still be written to the file system of a folder; nil when it cannot tell.
  var freeSpace: @Sendable (String) -> Int? = FileSystem.freeSpace

  /// `TMPDIR`, else the system's: takes what `home` cannot.
  var temporaryFolder: String

  /// Files of models that are not on the hub; beside the hub's cache, whose layout has no place for them.
  public var ownFolder: String { home + "/swiftlet" }

  public init(environment: [String: String]) {
    func value(_ name: String) -> String? {
      guard let value = environment[name], !value.isEmpty else { return nil }
      return value
    }
    let userHome = value("HOME") ?? NSHomeDirectory()
    func absolute(_ path: String) -> String {
      let expanded = path == "~" || path.hasPrefix("~/") ? userHome + path.dropFirst() : path
      return URL(fileURLWithPath: expanded).standardizedFileURL.path
    }
    home = absolute(value("HF_HOME") ?? (value("XDG_CACHE_HOME") ?? "~/.cache") + "/huggingface")
    cache = (value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE")).map(absolute) ?? home + "/hub"
    temporaryFolder = absolute(value("TMPDIR") ?? NSTemporaryDirectory())
    var address = value("HF_ENDPOINT") ?? "https://huggingface.co"
    while address.hasSuffix("/") { address.removeLast() }
    endpoint = address
    isOffline = ["1", "true", "yes", "on"].contains((value("HF_HUB_OFFLINE") ?? "").lowercased())
    let tokenPath = value("HF_TOKEN_PATH").map(absolute) ?? home + "/token"
    let written = value("HF_TOKEN") ?? FileSystem.text(tokenPath)
    let trimmed = written?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    token = trimmed.isEmpty ? nil : trimmed
    proxies = ProxySettings(environment: environment)
  }

  /// The configuration that this process's environment asks for.
  public static var current: HubConfiguration { HubConfiguration(environment: ProcessInfo.processInfo.environment) }
}

/// How often and after which pauses a request that failed in passing is made again.
public struct RetryPolicy: Sendable {
  /// Attempts in a row without a byte of progress.
  public var attempts = 5
  /// Attempts in a row at a server that does not answer at all.
  public var connectionAttempts = 3
  /// The pause after the first failure; it doubles with each, up to the longest.
  public var firstPause: Duration = .seconds(1)
  public var longestPause: Duration = .seconds(30)
  /// The longest `Retry-After` that is waited for; a longer one fails at once.
  public var longestRetryAfter: Duration = .seconds(120)

  public init() {}
}

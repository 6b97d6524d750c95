import Foundation

/// The model to use when none is named.
public struct DefaultModel: Sendable, Equatable {
  public var reference: ModelReference
  /// Why it is not the preferred one, such as `The hub cannot be reached (status 503 from huggingface.co)`; nil when it is.
  public var reason: String?

  /// What to use when this one cannot be fetched: the embedded model for want of a network, of the pip that fetches, or of a place to
  /// keep it; nil when the error is one to be told.
  public func fallback(after error: HubError) -> DefaultModel? {
    guard EmbeddedModel.isPresent, case .wheel(let model) = reference, let obstacle = error.obstacle else { return nil }
    let reason = (reason.map { $0 + ", and " } ?? "") + "\(model.alias) cannot be fetched (\(obstacle))"
    return DefaultModel(reference: .embedded, reason: reason)
  }
}

extension HubError {
  /// Why nothing can be fetched from the index of Python packages on this machine; nil for errors of another kind.
  fileprivate var obstacle: String? {
    switch self {
    case .offline: "HF_HUB_OFFLINE forbids it"
    case .connectionFailed(let host, let reason, _): "no connection to \(host): \(reason)"
    case .serverFailed(let status, let url, _): "status \(status) from \(Origin(url)?.host ?? url)"
    // Nothing can be kept here. A full disk is another matter: room can be made.
    case .fileSystem(let operation, let path, let reason) where reason != FileSystem.reason(ofErrno: ENOSPC):
      "cannot \(operation) \(path): \(reason)"
    case .pythonNotFound: "there is no Python, whose pip does that"
    case .pipNotFound(let python): "\(python) has no pip, which does that"
    // pip's last words when no index answered; before them come warnings of each attempt.
    case .wheelFailed(_, let reason) where reason.contains("No matching distribution found"): "pip finds it in no index"
    default: nil
    }
  }
}

extension ModelHub {
  /// DeepSeek-R1-Distill-Qwen-1.5B where it is installed or the hub can be reached, else SmolLM2-135M-Instruct where it is installed or
  /// may be fetched, else the embedded model, where there is one.
  ///
  /// Nothing is fetched here; the hub is asked for no longer than `probeTimeout`. Whether the second can be fetched shows only when it
  /// is: see `DefaultModel.fallback`.
  /// - Throws: `HubError` when the hub refuses, or when what the environment says of it is wrong; `CancellationError`.
  public func defaultModel() async throws -> DefaultModel {
    let preferred = ModelAlias.all[0].reference
    if (try? installedModel(preferred)) != nil { return DefaultModel(reference: preferred) }
    guard case .repository(let repository) = preferred, let obstacle = try await obstacle(to: repository) else {
      return DefaultModel(reference: preferred)
    }
    let isSmall = !EmbeddedModel.isPresent || !configuration.isOffline || installed(.smolLM2) != nil
    return DefaultModel(
      reference: isSmall ? .wheel(.smolLM2) : .embedded, reason: "The hub cannot be reached (\(obstacle))")
  }

  /// Why the hub cannot be asked for a repository; nil when it answers for it soon.
  private func obstacle(to repository: RepositoryReference) async throws -> String? {
    guard !configuration.isOffline else { return "HF_HUB_OFFLINE forbids it" }
    // A connection under way is waited for even when the request is given up.
    var configuration = configuration
    configuration.connectTimeout = configuration.probeTimeout
    let prepared = configuration
    return try await withThrowingTaskGroup(of: String?.self) { group in
      group.addTask { try await HubTransport.with(prepared) { try await $0.obstacle(to: repository) } }
      group.addTask {
        try await Task.sleep(for: prepared.probeTimeout)
        return "no answer within \(prepared.probeTimeout)"
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }
}

extension HubTransport {
  fileprivate func obstacle(to repository: RepositoryReference) async throws -> String? {
    do {
      let response = try await get(configuration.endpoint + "/api/models/" + repository.repository + "/revision/main")
      // The hub says what it refuses a public model for. Who refuses it without a word is a gateway in between.
      let isRefusal = [401, 403, 404].contains(response.status)
      if isRefusal, configuration.token == nil, !response.headers.contains(name: "X-Error-Code") {
        return "status \(response.status) from \(Origin(response.url)?.host ?? response.url)"
      }
      try response.check(repository: repository.repository, revision: "main", hasToken: configuration.token != nil)
    } catch let failure as PassingFailure {
      // A hub that asks to wait is there.
      if case .limited = failure.kind { return nil }
      return failure.summary
    } catch HubError.unexpectedStatus(let status, let url) {
      return "status \(status) from \(Origin(url)?.host ?? url)"
    } catch HubError.malformedResponse(_, let reason) {
      return "it answered with \(reason)"
    }
    return nil
  }
}

/// The model to use when none is named.
public struct DefaultModel: Sendable, Equatable {
  public var reference: ModelReference
  /// Why it is not the preferred one; nil when it is.
  public var reason: String?
}

extension ModelHub {
  /// DeepSeek-R1-Distill-Qwen-1.5B where it is installed or the hub can be reached, else SmolLM2-135M-Instruct.
  ///
  /// Nothing is fetched here; the hub is asked for no longer than `probeTimeout`.
  /// - Throws: `HubError` when the hub refuses, or when what the environment says of it is wrong; `CancellationError`.
  public func defaultModel() async throws -> DefaultModel {
    let preferred = ModelAlias.all[0].reference
    if (try? installedModel(preferred)) != nil { return DefaultModel(reference: preferred) }
    guard case .repository(let repository) = preferred, let reason = try await obstacle(to: repository) else {
      return DefaultModel(reference: preferred)
    }
    return DefaultModel(reference: .wheel(.smolLM2), reason: reason)
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

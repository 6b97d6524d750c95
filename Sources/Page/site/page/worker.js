// Has the browser keep the page, so that it opens when the server is away.

export function startWorker() {
  if (!('serviceWorker' in navigator)) return;
  // A script's address is something Trusted Types want to be sure of.
  const policy = globalThis.trustedTypes?.createPolicy('swiftlet', { createScriptURL: () => '/sw.js' });
  navigator.serviceWorker.register(policy ? policy.createScriptURL('') : '/sw.js').catch(() => {
    // The page works without; it only cannot be opened when the server is away.
  });
}

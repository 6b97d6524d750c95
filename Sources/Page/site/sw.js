// Keeps the page's own files, so that it opens when the server is away. What the server answers is never kept.

const files = [
  '/', '/dashboard', '/manifest.webmanifest', '/page/icon.svg', '/page/icon-192.png', '/page/icon-512.png', '/page/theme.css',
  '/page/base.css', '/page/controls.css', '/page/dialogs.css', '/page/text.css', '/page/chat.css', '/page/sidebar.css',
  '/page/messages.css', '/page/composer.css', '/page/dashboard.css', '/page/answer.js', '/page/app.js', '/page/blocks.js',
  '/page/chat-row.js', '/page/chats.js', '/page/code.js', '/page/composer.js', '/page/conflicts.js', '/page/connection.js',
  '/page/controls.js', '/page/conversation.js', '/page/copies.js', '/page/dashboard.js', '/page/dialogs.js', '/page/dom.js',
  '/page/failures.js', '/page/follow.js', '/page/inline.js', '/page/languages.js', '/page/markdown.js', '/page/math-symbols.js',
  '/page/math.js', '/page/messages.js', '/page/models.js', '/page/morph.js', '/page/outbox.js', '/page/plot.js', '/page/preferences.js',
  '/page/server.js', '/page/settings.js', '/page/sidebar.js', '/page/start.js', '/page/starters.js', '/page/tabs.js', '/page/tree.js',
  '/page/words.js', '/page/worker.js',
];
const name = 'swiftlet-page';

addEventListener('install', (event) => {
  event.waitUntil(
    caches.open(name)
      .then((cache) => cache.addAll(files.map((file) => new Request(file, { cache: 'reload' }))))
      .then(() => skipWaiting()));
});

addEventListener('activate', (event) => event.waitUntil(clients.claim()));

addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== location.origin || !files.includes(url.pathname)) return;
  event.respondWith(fresh(event.request, url.pathname));
});

/// The server's own, so that a new program shows its new page; what was kept when there is no answer in a moment.
async function fresh(request, path) {
  const cache = await caches.open(name);
  const kept = await cache.match(path);
  const fetched = fetch(request).then((response) => {
    if (response.ok) cache.put(path, response.clone());
    return response.status >= 500 && kept ? kept : response;
  });
  if (!kept) return fetched;
  const patience = new Promise((resolve) => setTimeout(() => resolve(kept), 3000));
  return Promise.race([fetched, patience]).catch(() => kept);
}

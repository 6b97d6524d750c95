// What this browser remembers of how its user wants the page. Where it may not remember, all lasts until the page is closed.

const prefix = 'swiftlet.';
const memory = new Map();

/// - Returns: what was remembered, or `fallback`.
export function remembered(name, fallback = null) {
  if (memory.has(name)) return memory.get(name);
  try {
    const text = localStorage.getItem(prefix + name);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/// - Parameter value: anything JSON can say; null forgets.
/// - Returns: whether it outlives the page.
export function remember(name, value) {
  memory.delete(name);
  try {
    if (value === null) localStorage.removeItem(prefix + name);
    else localStorage.setItem(prefix + name, JSON.stringify(value));
    return true;
  } catch {
    memory.set(name, value);
    return false;
  }
}

/// Calls `observer` when another tab has remembered or forgotten something under this name.
export function onRemembered(name, observer) {
  // Without a name all was forgotten.
  addEventListener('storage', ({ key }) => (key === null || key === prefix + name) && observer());
  // A page that one comes back to was told nothing meanwhile.
  addEventListener('pageshow', ({ persisted }) => persisted && observer());
}

/// What was remembered under names that begin with `start`.
export function rememberedNames(start) {
  const names = new Set([...memory.keys()].filter((name) => name.startsWith(start)));
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(prefix + start)) names.add(name.slice(prefix.length));
    }
  } catch {
    // What is in memory is all there is.
  }
  return [...names];
}

const darkness = matchMedia('(prefers-color-scheme: dark)');

/// `light`, `dark`, or `system` for what the system has.
export const theme = () => remembered('theme', 'system');

export function chooseTheme(name) {
  remember('theme', name === 'system' ? null : name);
  applyTheme();
}

/// The browser's own bars get the page's colour.
export function applyTheme() {
  const chosen = theme();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', getComputedStyle(document.body).backgroundColor);
}

darkness.addEventListener('change', applyTheme);

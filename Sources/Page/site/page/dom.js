// Builds nodes. What people, models and files say goes in as text: nothing on this page is ever parsed as HTML.

/// A node with attributes (`class`, `aria-label`, …), listeners (`on`: by the event's name) and children (nodes or texts; null is left out).
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === 'value' || name === 'checked' || name === 'selected') {
      node[name] = value;
    } else {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const find = (selector, root = document) => root.querySelector(selector);

/// Makes `nodes` the children of `parent`, in this order. The one that has the focus is not moved, and others only where they must be: a
/// node that is moved loses the focus, and is read out again.
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const held = nodes.find((node) => node.parentNode === parent && node.contains(document.activeElement));
  let next = parent.firstChild;
  for (const node of nodes) {
    // What is before the held one and belongs behind it finds its place later.
    while (node === held && next !== held) {
      const early = next;
      next = next.nextSibling;
      parent.append(early);
    }
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
}

/// Does what may move the node that has the focus, and gives it back.
export function keepingFocus(action) {
  const focused = document.activeElement;
  action();
  if (document.activeElement !== focused && focused?.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
}

// Strokes on a grid of 24 by 24.
const icons = {
  add: 'M12 5v14M5 12h14',
  attach: 'M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.5a3.4 3.4 0 0 1 4.8 4.8l-8.5 8.4a1.7 1.7 0 0 1-2.4-2.4l7.8-7.7',
  again: 'M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM15 9V5H5v11h4',
  down: 'M12 5v14M6 13l6 6 6-6',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  menu: 'M4 7h16M4 12h16M4 17h16',
  next: 'M9 5l7 7-7 7',
  plot: 'M4 20V4M4 20h16M8 15l4-5 3 3 5-7',
  previous: 'M15 5l-7 7 7 7',
  resume: 'M5 5v14M10 5l9 7-9 7z',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  send: 'M12 19V5M6 11l6-6 6 6',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  theme: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  thought: 'M9 18h6M10 21h4M8.5 15.5a6 6 0 1 1 7 0V18h-7z',
  stop: 'M7 7h10v10H7z',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
};

const vector = 'http://www.w3.org/2000/svg';

/// A node of an SVG picture.
export function drawing(tag, attributes = {}, ...children) {
  const node = document.createElementNS(vector, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/// A picture beside or in place of a text; screen readers pass over it.
export function icon(name) {
  return drawing('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, drawing('path', { d: icons[name] }));
}

/// Puts pictures into nodes that name them by `data-icon`.
export function drawIcons(root = document) {
  for (const node of root.querySelectorAll('[data-icon]')) node.prepend(icon(node.dataset.icon));
}

/// A button that shows a picture and is called `label`.
export function iconButton(name, label, onClick, attributes = {}) {
  return element(
    'button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: { click: onClick }, ...attributes }, icon(name));
}

/// Whether a key only helps to choose a Chinese character. Safari ends the choice before it tells of the key that did.
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/// Matches where the page is used with fingers: the keyboard is on the screen then, covers half of it, and has one Enter for all.
export const isTouched = matchMedia('(pointer: coarse)');

/// A number that is used once, for ids of chats and messages: 128 random bits. (`crypto.randomUUID` is there on secure pages only.)
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/// Puts a text into the clipboard, also on pages that browsers do not call secure.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element('textarea', { class: 'off-screen', value: text, 'aria-hidden': 'true' });
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand('copy');
    area.remove();
    focused?.focus();
    return isCopied;
  }
}

/// Hands a file to the browser to keep.
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = element('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

let announcements;

/// Has screen readers say something without moving the focus.
export function announce(text) {
  announcements ??= find('#announcements');
  const line = element('p', {}, text);
  announcements?.append(line);
  setTimeout(() => line.remove(), 20_000);
}

// The line that tells what the server does not have yet.
import { element, find } from './dom.js';
import { flush, onOutbox, state } from './outbox.js';
import { word } from './words.js';

/// Whether a host, as addresses write it, is this machine: its server is there without a network.
export const isLocal = (host) => /^(.+\.)?localhost$|^127(\.\d+){3}$|^\[::1\]$/.test(host);

/// Words for what the server has no room for.
const refusals = { chat_too_large: 'chatFull', chats_too_large: 'chatsFull', request_too_large: 'tooLarge' };

export function drawConnection() {
  const { count, problem } = state();
  const text = !navigator.onLine && !isLocal(location.hostname) ? word('offline') : problem && count > 0 ? word(refusals[problem.code] ?? 'unsaved') : '';
  const line = find('#connection');
  line.hidden = text === '';
  if (line.firstChild?.textContent === text) return;
  line.replaceChildren(
    element('span', {}, text), element('button', { type: 'button', class: 'button small', on: { click: flush } }, word('tryAgain')));
}

addEventListener('online', drawConnection);
addEventListener('offline', drawConnection);
onOutbox(drawConnection);

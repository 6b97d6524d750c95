// The line that tells what the server does not have yet.
import { element, find } from './dom.js';
import { flush, onOutbox, state } from './outbox.js';
import { word } from './words.js';

/// A server on this machine is there without a network.
const isLocal = location.hostname === 'localhost' || /^127\./.test(location.hostname);

/// Words for what the server has no room for.
const refusals = { chat_too_large: 'chatFull', chats_too_large: 'chatsFull', request_too_large: 'tooLarge' };

export function drawConnection() {
  const { count, problem } = state();
  const text = !navigator.onLine && !isLocal ? word('offline') : problem && count > 0 ? word(refusals[problem.code] ?? 'unsaved') : '';
  const line = find('#connection');
  line.hidden = text === '';
  if (line.firstChild?.textContent === text) return;
  line.replaceChildren(
    element('span', {}, text), element('button', { type: 'button', class: 'button small', on: { click: flush } }, word('tryAgain')));
}

addEventListener('online', drawConnection);
addEventListener('offline', drawConnection);
onOutbox(drawConnection);

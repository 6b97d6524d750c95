// What this browser has changed and another one had changed or deleted meanwhile. Nothing is lost: where both cannot be had in one chat,
// this browser's version becomes a chat of its own beside the other.
import { runOf } from './answer.js';
import { address, idsOf, isDeleted, isLoaded, readChat, saveApart, takeMessage } from './chats.js';
import { forget, onRefused, onSent, pending, rebase } from './outbox.js';
import { word } from './words.js';

const observers = new Set();
/// Chats that were made here and are not saved yet. One that is refused again is not saved a third time.
const apart = new Set();

onSent((path) => apart.delete(idsOf(path)[0]));

/// Calls `observer(id, copy, isGone)` for the chat `id`: with the chat in which this browser's version is kept, or null when it has taken
/// over a message. `isGone`: the chat was deleted elsewhere.
export const onConflict = (observer) => observers.add(observer);

onRefused(async (path, entry) => {
  const [id, messageId] = idsOf(path);
  const theirs = isDeleted(id) ? null : await readChat(id);
  // Another key may be used by now, and the chat was left: the change waits for its own.
  if (pending(path).length === 0 && !isLoaded(id)) return;
  if (!theirs) {
    if (isDeleted(id) || apart.has(id)) forget(address(id));
    else keepApart(id, null);
  } else if (!messageId) settleChat(path, entry, theirs);
  else settleMessage(path, entry, theirs, theirs.messages.find((message) => message.id === messageId));
});

const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/// Fields that are as they were when they were changed here, or as they were sent, were not changed by anybody else.
function settleChat(path, { body, before, sent }, theirs) {
  const isFree = Object.keys(body).every(
    (field) => field === 'current' || [before?.[field], sent?.[field], body[field]].some((value) => isSame(value, theirs[field])));
  if (isFree) rebase(path, theirs.revision);
  else keepApart(theirs.id, theirs);
}

/// Answers grow: of two versions the one that begins with the other has all of both.
function settleMessage(path, { body }, theirs, other) {
  if (other && hasMore(other, body) && !runOf(other)) {
    forget(path);
    takeMessage(theirs.id, other);
    for (const observer of observers) observer(theirs.id, null, false);
  } else if (!other || isBeginning(other, body)) rebase(path, other?.revision ?? 0);
  else keepApart(theirs.id, theirs);
}

const isBeginning = (a, b) => b.content.startsWith(a.content) && b.reasoning.startsWith(a.reasoning);

function hasMore(a, b) {
  if (!isBeginning(b, a)) return false;
  if (!isBeginning(a, b)) return true;
  return b.details.finish === 'interrupted' && a.details.finish !== 'interrupted';
}

function keepApart(id, theirs) {
  const copy = saveApart(id, theirs, (title) => word('titleApart', { title: title || word('untitled') }));
  if (!copy) return;
  apart.add(copy.id);
  for (const observer of observers) observer(id, copy, !theirs);
}

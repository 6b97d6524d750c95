// What is to be kept by the server waits here until the server has it: through a broken network, a server that is started anew, and a
// page that is closed meanwhile.
import { remember, remembered, rememberedNames } from './preferences.js';
import { Failure, json, key } from './server.js';

const prefix = 'outbox.';
/// By path, in the order of their coming: a chat before its messages.
const waiting = new Map();
const observers = new Set();
const sentObservers = new Set();
let settle = null;
let isSending = false;
let pause = 0;
let timer = null;
let problem = null;

for (const entry of rememberedNames(prefix).map((name) => [name.slice(prefix.length), remembered(name)]).sort((a, b) => a[1]?.at - b[1]?.at)) {
  if (entry[1]) waiting.set(entry[0], entry[1]);
}

/// Calls `observer` when there is more or less to send, or sending went wrong: see `state`.
export const onOutbox = (observer) => observers.add(observer);

/// Calls `observer(path, revision)` when the server has a change.
export const onSent = (observer) => sentObservers.add(observer);

/// - Parameter resolve: called with the path and the entry of a change that was refused because somebody else had changed or deleted the
///   same; sees to it that it can be sent (`rebase`) or does not wait any more (`forget`). May throw a `Failure`: then it is tried again.
export function onRefused(resolve) {
  settle = resolve;
}

/// Tells the key in use from others (FNV-1a); null without one.
export const owner = () => key() && [...key()].reduce((hash, character) => Math.imul(hash ^ character.codePointAt(0), 0x01000193), 0x811c9dc5).toString(36);

/// What was changed with another key waits until that one is back.
const isOwn = ([, entry]) => !entry.owner || entry.owner === owner();

/// `problem` is the last `Failure`; null when all is well.
export const state = () => ({ count: [...waiting].filter(isOwn).length, problem });

function tell() {
  for (const observer of observers) observer();
}

function keep(path, entry) {
  waiting.set(path, entry);
  remember(prefix + path, entry);
}

/// Sends a change as soon as it can be. Fields of a change that still waits are kept, unless they are set anew.
/// - Parameters:
///   - revision: that of what is changed as it was read, 0 for what is new.
///   - before: the fields as they were.
export function put(path, body, { isSent = true, revision, before } = {}) {
  const earlier = waiting.get(path);
  keep(path, {
    at: earlier?.at ?? Date.now(), owner: earlier ? earlier.owner : owner(), revision: earlier ? earlier.revision : revision, before: { ...before, ...earlier?.before }, sent: earlier?.sent,
    body: { ...earlier?.body, ...body },
  });
  if (isSent) flush();
}

/// Bases a change that waits on another revision.
export function rebase(path, revision) {
  if (waiting.has(path)) keep(path, { ...waiting.get(path), revision });
}

/// Forgets changes of what is not wanted any more, and of what stands below it.
export function forget(start) {
  for (const path of [...waiting.keys()].filter((path) => path === start || path.startsWith(`${start}/`))) drop(path);
}

function drop(path) {
  waiting.delete(path);
  remember(prefix + path, null);
}

/// Changes that wait, for paths that begin with `start`, as `[rest of the path, body]`.
export const pending = (start) =>
  [...waiting].filter(isOwn).filter(([path]) => path.startsWith(start)).map(([path, entry]) => [path.slice(start.length), entry.body]);

/// The chat that a path belongs to.
const chatOf = (path) => path.split('/').slice(0, 4).join('/');

/// Sends what waits. Never throws: what does not go is tried again, after a pause that grows to half a minute.
export async function flush() {
  if (isSending) return;
  isSending = true;
  clearTimeout(timer);
  // Chats for which there is no room, or that are refused as they are: what is new of them stays here until somebody changes that.
  const full = new Map();
  // A change that is refused again after it was settled waits for the pause.
  const settled = new Set();
  try {
    for (;;) {
      const next = [...waiting].filter(isOwn).find(([path]) => !full.has(chatOf(path)));
      if (!next) break;
      const refusal = await sendOne(...next, settled);
      if (refusal) full.set(chatOf(next[0]), refusal);
      else pause = 0;
    }
    problem = [...full.values()][0] ?? null;
  } catch (error) {
    problem = error;
    pause = Math.min(30_000, Math.max(1000, pause * 2));
    timer = setTimeout(flush, pause);
  } finally {
    isSending = false;
    tell();
  }
}

/// - Returns: the `Failure` when the server has no room for it, or does not take it as it is.
/// - Throws: `Failure` when it is to be tried again later.
async function sendOne(path, entry, settled) {
  try {
    const { revision } = await json('PUT', path, { body: { ...entry.body, revision: entry.revision } });
    sent(path, entry, revision);
  } catch (error) {
    if (error.status === 409 || error.status === 404) {
      if (settled.has(path)) throw error;
      settled.add(path);
      await settle(path, entry);
    } else if (isRefused(error)) {
      // What was written is not thrown away for that.
      return error;
    } else {
      // It may have come all the same.
      const last = waiting.get(path);
      if (last && hasFields(last.before)) keep(path, { ...last, sent: entry.body });
      throw error;
    }
  }
  return null;
}

const hasFields = (object) => Object.keys(object ?? {}).length > 0;

function sent(path, entry, revision) {
  const last = waiting.get(path);
  if (last === entry) drop(path);
  // It has changed on the way.
  else if (last) keep(path, { ...last, revision, before: hasFields(last.before) ? { ...last.before, ...entry.body } : last.before });
  for (const observer of sentObservers) observer(path, revision);
}

/// Whether sending the same again soon is of no use.
const isRefused = (error) => error instanceof Failure && error.kind === 'server' && error.status < 500 && error.status !== 429;

addEventListener('online', flush);

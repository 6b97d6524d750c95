// What is to be kept by the server waits here until the server has it: through a broken network, a server that is started anew, and a
// page that is closed meanwhile.
import { remember, remembered, rememberedNames } from './preferences.js';
import { Failure, json } from './server.js';

const prefix = 'outbox.';
/// By path, in the order of their coming: a chat before its messages.
const waiting = new Map();
const observers = new Set();
let isSending = false;
let pause = 0;
let timer = null;
let problem = null;

for (const entry of rememberedNames(prefix).map((name) => [name.slice(prefix.length), remembered(name)]).sort((a, b) => a[1]?.at - b[1]?.at)) {
  if (entry[1]) waiting.set(entry[0], entry[1]);
}

/// Calls `observer` when there is more or less to send, or sending went wrong: see `state`.
export const onOutbox = (observer) => observers.add(observer);

/// `problem` is the last `Failure`; null when all is well.
export const state = () => ({ count: waiting.size, problem });

function tell() {
  for (const observer of observers) observer();
}

/// Sends a change as soon as it can be. Fields of a change that still waits are kept, unless they are set anew.
export function put(path, body, { isSent = true } = {}) {
  const earlier = waiting.get(path);
  const entry = { at: earlier?.at ?? Date.now(), body: { ...earlier?.body, ...body } };
  waiting.set(path, entry);
  remember(prefix + path, entry);
  if (isSent) flush();
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
  [...waiting].filter(([path]) => path.startsWith(start)).map(([path, entry]) => [path.slice(start.length), entry.body]);

/// Sends what waits. Never throws: what does not go is tried again, after a pause that grows to half a minute.
export async function flush() {
  if (isSending) return;
  isSending = true;
  clearTimeout(timer);
  try {
    while (waiting.size > 0) {
      const [path, entry] = waiting.entries().next().value;
      try {
        await json('PUT', path, { body: entry.body });
      } catch (error) {
        if (isRefused(error)) {
          console.warn(`${path}: ${error.message}`);
          problem = error.status === 404 ? problem : error;
          drop(path);
          continue;
        }
        problem = error;
        throw error;
      }
      problem = null;
      pause = 0;
      // It may have changed on the way.
      if (waiting.get(path) === entry) drop(path);
    }
  } catch {
    pause = Math.min(30_000, Math.max(1000, pause * 2));
    timer = setTimeout(flush, pause);
  } finally {
    isSending = false;
    tell();
  }
}

/// Whether sending the same again is of no use.
const isRefused = (error) => error instanceof Failure && error.kind === 'server' && error.status < 500 && error.status !== 429;

addEventListener('online', flush);

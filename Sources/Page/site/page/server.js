// Speaks to the server: JSON, streams of events, and the key where the server wants one.
import { onRemembered, remember, remembered } from './preferences.js';

/// What went wrong with a request.
export class Failure extends Error {
  /// - Parameters:
  ///   - kind: `network` when there was no answer or half of one, `key` when a key is wanted, `server` when the server said no.
  ///   - retryAfter: seconds after which the server wants to be asked again.
  constructor(kind, message, { status = 0, code = null, retryAfter = null } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const keyName = 'key';
let sessionKey = null;
try {
  sessionKey = sessionStorage.getItem('swiftlet.key');
} catch {
  // The key then lasts as long as the page.
}

/// What is kept may be another one already, of which another tab was told.
let current = sessionKey ?? remembered(keyName);
let leave = (change) => change();

export const key = () => current;

/// - Parameter isKept: on this device; else until the tab is closed.
export function setKey(text, isKept) {
  remember(keyName, isKept ? text : null);
  sessionKey = isKept ? null : text;
  current = text;
  try {
    if (sessionKey === null) sessionStorage.removeItem('swiftlet.key');
    else sessionStorage.setItem('swiftlet.key', sessionKey);
  } catch {
    // It stays in memory.
  }
}

/// - Parameter action: called when another tab has changed the key that is kept, with a function that has it used here too. Until then
///   the earlier one is used.
export function onOtherKey(action) {
  leave = action;
}

onRemembered(keyName, () => {
  const kept = remembered(keyName);
  if (sessionKey === null && kept !== current) leave(() => (current = kept));
});

let askForKey = null;
let asking = null;

/// - Parameter ask: shows a form and returns whether a key was given.
export function onKeyWanted(ask) {
  askForKey = ask;
}

async function wantKey(isWrong) {
  asking ??= Promise.resolve(askForKey?.(isWrong) ?? false).finally(() => (asking = null));
  return asking;
}

/// A response whose status is fine; asks for a key as often as the server does.
/// - Parameter isQuiet: nobody is asked for a key.
/// - Throws: `Failure`, or `AbortError` when `signal` aborts.
export async function send(method, path, { body, signal, isQuiet = false, keepalive = false } = {}) {
  for (;;) {
    const headers = {};
    const used = key();
    if (used) headers.Authorization = `Bearer ${used}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(path, {
        method, headers, signal, keepalive, cache: 'no-store', credentials: 'omit', body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Failure('network', error.message);
    }
    if (response.ok) return response;
    const failure = await read(response);
    if (failure.kind !== 'key' || isQuiet) throw failure;
    // Another request, or another tab, may have got a key meanwhile.
    if (key() === used && !(await wantKey(Boolean(used))) && key() === used) throw failure;
  }
}

async function read(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not every proxy answers in JSON.
  }
  const after = Number.parseInt(response.headers.get('Retry-After'), 10);
  return new Failure(response.status === 401 ? 'key' : 'server', error.message ?? `${response.status} ${response.statusText}`, {
    status: response.status, code: error.code ?? null, retryAfter: Number.isFinite(after) ? after : null,
  });
}

export async function json(method, path, options = {}) {
  const response = await send(method, path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure('network', error.message);
  }
}

/// The server sends something every ten seconds.
const silence = 45_000;

/// The JSON of each event of a stream (WHATWG HTML, section 9.2), until `[DONE]`.
/// - Throws: `Failure`; of the kind `network` when the stream ends before it is done.
export async function* events(path, body, signal) {
  const response = await send('POST', path, { body, signal });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await readInTime(reader);
      if (done) throw new Failure('network', 'the stream ended early');
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith('data:')) continue;
        const data = line.slice(5).trim();
        if (data === '[DONE]') return;
        const event = parse(data);
        if (event.error) {
          throw new Failure('server', String(event.error.message ?? ''), { status: 500, code: event.error.code ?? null });
        }
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Failure('network', 'the stream was garbled');
  }
}

async function readInTime(reader) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failure('network', 'the server fell silent')), silence);
  });
  try {
    return await Promise.race([reader.read(), late]);
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Failure) throw error;
    throw new Failure('network', error.message);
  } finally {
    clearTimeout(timer);
  }
}

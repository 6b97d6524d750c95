// The chats of this user. The server keeps them; what it does not have yet is in the outbox and counts as kept.
import { copies, copyOf, forgetCopies, forgetCopy, keepCopy } from './copies.js';
import { newId } from './dom.js';
import { flush, forget, onSent, pending, put, rebase } from './outbox.js';
import { remember } from './preferences.js';
import { json } from './server.js';
import { tellTabs } from './tabs.js';

const loaded = new Map();
/// An answer that comes to its end must not bring back a chat that was deleted meanwhile.
const deleted = new Set();
const observers = new Set();

export const address = (id) => `/api/chats/${encodeURIComponent(id)}`;

/// Calls `observer(id)` when a chat's title, place or messages changed.
export const onChats = (observer) => observers.add(observer);

function tell(id) {
  for (const observer of observers) observer(id);
}

/// Chats for the list, the newest first, with those that the server does not have yet.
/// - Parameters:
///   - search: a text in their titles or messages; empty for all.
///   - most: how many of the server's.
///   - signal: aborts when they are not wanted any more: the server then searches no longer.
/// - Returns: `{ chats, failure, isCut }`: `isCut` when the server may have more.
export async function listChats(search = '', most = 200, signal = undefined) {
  let chats;
  let isCut = false;
  let failure = null;
  try {
    chats = await chatsOfServer(search, most, signal);
    isCut = chats.length === most;
    // The server is there: a copy is of use only beside what it does not have yet.
    for (const copy of copies()) if (pending(address(copy.id)).length === 0) forgetCopy(copy.id);
  } catch (error) {
    chats = [];
    failure = error;
  }
  const own = new Map([...loaded.values()].filter((chat) => chat.messages.length > 0).map((chat) => [chat.id, chat]));
  const known = new Map(chats.map((chat) => [chat.id, { ...chat, ...titleOf(own.get(chat.id)) }]));
  if (!search) {
    for (const [path, body] of pending('/api/chats/')) {
      if (!path.includes('/') && !known.has(path)) known.set(path, { title: '', updated: Date.now(), ...body, id: path });
    }
    // Without the server, what this page has seen.
    if (failure) for (const chat of [...copies(), ...own.values()]) known.set(chat.id, chat);
  }
  return { chats: [...known.values()].sort((a, b) => b.updated - a.updated), failure, isCut };
}

/// That the server gives at once.
const largestPage = 1000;

async function chatsOfServer(search, most, signal) {
  const chats = [];
  for (;;) {
    const limit = Math.min(largestPage, most - chats.length);
    const last = chats.at(-1);
    const query = new URLSearchParams({ limit, ...(last && { before: last.updated, before_id: last.id }), ...(search && { search }) });
    const page = (await json('GET', `/api/chats?${query}`, { signal })).chats;
    chats.push(...page);
    if (page.length < limit || chats.length === most) return chats;
  }
}

const titleOf = (chat) => (chat ? { title: chat.title, updated: chat.updated } : {});

/// A chat as the server has it; null when it has none.
/// - Throws: `Failure`.
export async function readChat(id) {
  try {
    return await json('GET', address(id));
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/// A chat with its messages.
/// - Parameter isBusy: whether a chat that was opened before has an answer in progress: then it is what the server will have.
/// - Throws: `Failure`.
export async function openChat(id, isBusy) {
  const earlier = loaded.get(id);
  if (earlier && isBusy(earlier)) return earlier;
  let chat;
  try {
    chat = await json('GET', address(id));
  } catch (error) {
    if (error.status === 404) forgetCopy(id);
    else if (earlier) return earlier;
    // It may be one that never reached the server.
    const own = pending(address(id)).find(([rest]) => rest === '');
    chat = copyOf(id) ?? (own ? blank(id) : null);
    if (!chat) throw error;
  }
  addPending(chat);
  loaded.set(id, chat);
  return chat;
}

const blank = (id) => ({ id, title: '', settings: {}, current: null, created: Date.now(), updated: Date.now(), revision: 0, messages: [] });

/// Changes a chat by what the server does not have yet.
function addPending(chat) {
  for (const [rest, body] of pending(address(chat.id))) {
    if (rest === '') Object.assign(chat, body);
    else if (rest.startsWith('/messages/')) keep(chat, { ...body, id: rest.slice('/messages/'.length) });
  }
}

function keep(chat, message) {
  const index = chat.messages.findIndex((other) => other.id === message.id);
  if (index < 0) chat.messages.push({ revision: 0, ...message });
  else chat.messages[index] = { ...chat.messages[index], ...message };
}

/// A chat without messages; it is kept once it has some.
export function newChat(settings) {
  return { ...blank(newId()), settings: { ...settings } };
}

/// Changes a chat's `title`, `settings` or `current`.
export function changeChat(chat, change) {
  const before = Object.fromEntries(Object.keys(change).map((field) => [field, chat[field]]));
  Object.assign(chat, change);
  // An empty chat is nobody's loss.
  if (chat.messages.length > 0) put(address(chat.id), change, { revision: chat.revision, before });
  tell(chat.id);
}

const longestTitle = 60;
/// That the server takes.
const longestKept = 200;

/// The beginning of a text, as a title.
export function titleFrom(text) {
  const line = text.trim().split('\n')[0].replace(/\s+/g, ' ').replace(/^[#>*\s-]+/, '');
  const letters = [...line];
  return letters.length > longestTitle ? `${letters.slice(0, longestTitle - 1).join('').trimEnd()}…` : line;
}

/// Adds a message to a chat and makes it the current one.
export function addMessage(chat, message) {
  const whole = { id: newId(), created: Date.now(), reasoning: '', details: {}, revision: 0, ...message };
  chat.messages.push(whole);
  chat.updated = Date.now();
  chat.current = whole.id;
  loaded.set(chat.id, chat);
  // What the server has already may have been changed elsewhere.
  const { title, settings, current, revision } = chat;
  put(address(chat.id), revision > 0 ? { current } : { title, settings, current }, { isSent: false, revision });
  saveMessage(chat, whole);
  tell(chat.id);
  return whole;
}

/// Keeps a message as it is now.
/// - Parameter isSent: false for this browser only, until something else is sent.
export function saveMessage(chat, message, { isSent = true } = {}) {
  if (deleted.has(chat.id)) return;
  const { id, parent, role, content, reasoning, created, details } = message;
  const kept = { parent: parent ?? null, role, content, reasoning, created, details };
  put(`${address(chat.id)}/messages/${id}`, kept, { isSent, revision: message.revision });
  tellTabs(chat.id, { message: { id, ...kept, revision: message.revision } });
}

/// The ids of a chat and of a message that a path names.
export const idsOf = (path) => path.match(/^\/api\/chats\/([^/]+)(?:\/messages\/(.+))?$/).slice(1);

onSent((path, revision) => {
  takeRevision(path, revision);
  tellTabs(idsOf(path)[0], { saved: { path, revision } });
});

/// Takes the revision of what the server has by now.
export function takeRevision(path, revision) {
  const [id, messageId] = idsOf(path);
  const chat = loaded.get(id);
  const changed = messageId ? chat?.messages.find((message) => message.id === messageId) : chat;
  if (changed) changed.revision = revision;
}

/// Takes what another tab has saved: what is changed here is based on it.
export function takeSaved({ path, revision }) {
  takeRevision(path, revision);
  rebase(path, revision);
}

/// Takes what another tab has said.
/// - Parameter isBusy: whether a message is being written here: then it stays.
/// - Returns: whether a chat that is loaded has changed.
export function takeFromTab(chatId, message, isBusy) {
  const chat = loaded.get(chatId);
  if (!chat) return false;
  const own = chat.messages.find((other) => other.id === message.id);
  if (own && isBusy(own)) return false;
  if (own) Object.assign(own, message);
  else chat.messages.push(message);
  // Who sees the end goes along with it.
  if (!own && (chat.current ?? null) === message.parent) chat.current = message.id;
  return true;
}

/// Takes a message of a chat as the server has it.
export function takeMessage(chatId, message) {
  const chat = loaded.get(chatId);
  const own = chat?.messages.find((other) => other.id === message.id);
  if (own) Object.assign(own, message);
}

/// Keeps all of a chat in this browser until the server has been reached: without it the page could not show the chat when it is opened anew.
export function keepWhole(chat) {
  if (!deleted.has(chat.id)) keepCopy(chat);
}

/// Makes this browser's version of a chat a chat of its own. A chat that is loaded goes on as that one.
/// - Parameters:
///   - theirs: the chat as the server has it; null when it has none.
///   - titled: the title, from that of the chat.
/// - Returns: null when there are no messages to be kept.
export function saveApart(id, theirs, titled) {
  const chat = loaded.get(id) ?? { ...(theirs ?? blank(id)) };
  if (!loaded.has(id)) addPending(chat);
  forget(address(id));
  forgetCopy(id);
  loaded.delete(id);
  if (chat.messages.length === 0) return null;
  Object.assign(chat, { id: newId(), title: [...titled(chat.title)].slice(0, longestKept).join(''), revision: 0, updated: Date.now() });
  loaded.set(chat.id, chat);
  const { title, settings, current } = chat;
  put(address(chat.id), { title, settings, current }, { isSent: false, revision: 0 });
  for (const message of chat.messages) {
    message.revision = 0;
    saveMessage(chat, message, { isSent: false });
  }
  tell(chat.id);
  return chat;
}

/// - Throws: `Failure`, and the chat stays.
export async function deleteChat(id) {
  try {
    await json('DELETE', address(id));
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  remember(`draft.${id}`, null);
  dropChat(id);
  tell(id);
  tellTabs(id, { isDeleted: true });
  // There may be room now for what had none.
  flush();
}

/// Forgets a chat that another tab has deleted.
export function dropChat(id) {
  deleted.add(id);
  loaded.delete(id);
  forget(address(id));
  forgetCopy(id);
}

export const isDeleted = (id) => deleted.has(id);

/// Renames a chat that may not be open.
/// - Parameter listed: the chat as the list has it.
export function renameChat(listed, title) {
  const { id } = listed;
  const chat = loaded.get(id) ?? listed;
  const before = { title: chat.title };
  takeTitle(id, title);
  put(address(id), { title }, { revision: chat.revision, before });
  tellTabs(id, { title });
}

export function takeTitle(id, title) {
  const chat = loaded.get(id);
  if (chat) chat.title = title;
  tell(id);
}

export const isLoaded = (id) => loaded.has(id);

/// Forgets what was loaded, as when another key is used.
export function forgetLoaded() {
  loaded.clear();
  forgetCopies();
}

/// Where a chat can be had as a file.
/// - Parameter format: `json` or `markdown`.
export async function exportAddress(id, format) {
  await flush();
  return `${address(id)}/export?format=${format}`;
}

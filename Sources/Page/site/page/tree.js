// A chat is a tree: a message that was edited, and an answer that was asked for again, stand beside what they replace.

/// Messages that follow `parent` (null for the beginning), the oldest first.
export const branches = (chat, parent) => chat.messages.filter((message) => (message.parent ?? null) === (parent ?? null));

export const messageOf = (chat, id) => chat.messages.find((message) => message.id === id);

/// The messages from the beginning to `id`.
export function pathTo(chat, id) {
  const byId = new Map(chat.messages.map((message) => [message.id, message]));
  const path = [];
  // A message is met once only, whatever a broken chat says.
  for (let message = byId.get(id); message && !path.includes(message); message = byId.get(message.parent)) path.push(message);
  return path.reverse();
}

/// What is shown: the path to the chat's current message, or to the newest where that is not there.
export function shownPath(chat) {
  const path = pathTo(chat, chat.current);
  return path.length > 0 ? path : pathTo(chat, newestBelow(chat, null));
}

/// Where one gets from `id` by taking the newest branch each time.
export function newestBelow(chat, id) {
  const seen = new Set();
  let last = id;
  for (;;) {
    const next = branches(chat, last).at(-1);
    if (!next || seen.has(next.id)) return last;
    seen.add(next.id);
    last = next.id;
  }
}

/// A message's place among those that stand beside it: `{ index, all }`.
export function place(chat, message) {
  const all = branches(chat, message.parent);
  return { index: all.indexOf(message), all };
}

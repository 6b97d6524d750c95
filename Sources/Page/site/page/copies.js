// Whole chats in this browser, to be read while the server is away. They are never sent: what the server has may be newer.
import { remember, remembered, rememberedNames } from './preferences.js';

const prefix = 'copy.';

export const keepCopy = (chat) => remember(prefix + chat.id, chat);

/// null when there is none.
export const copyOf = (id) => remembered(prefix + id);

export const copies = () => rememberedNames(prefix).map((name) => remembered(name)).filter(Boolean);

export const forgetCopy = (id) => remember(prefix + id, null);

export function forgetCopies() {
  for (const name of rememberedNames(prefix)) remember(name, null);
}

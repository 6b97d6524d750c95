// Tabs of one browser tell each other what was said, so that a chat that is open in two of them is the same in both.

const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('swiftlet') : null;
/// Answers that another tab is writing, with the timers that end this: a tab that has gone says nothing any more.
const elsewhere = new Map();
const patience = 4000;

/// Whether another tab is writing this answer.
export const isElsewhere = (message) => elsewhere.has(message.id);

/// - Parameter change: `message`, as it is kept, with its id; or `isDeleted`, or `title`; or `saved`, the path and the revision of what the
///   server has by now.
export function tellTabs(chatId, change) {
  channel?.postMessage({ chatId, ...change });
}

/// - Parameter observer: called with a chat's id and `message`, `isDeleted`, `title` or `saved`.
export function onTabs(observer) {
  channel?.addEventListener('message', ({ data: { chatId, ...change } }) => {
    const { message } = change;
    if (message) {
      clearTimeout(elsewhere.get(message.id));
      elsewhere.delete(message.id);
      // Until it has ended, an answer counts as broken off.
      if (message.details.finish === 'interrupted' && !message.details.error) {
        elsewhere.set(message.id, setTimeout(() => {
          elsewhere.delete(message.id);
          observer(chatId, change);
        }, patience));
      }
    }
    observer(chatId, change);
  });
}

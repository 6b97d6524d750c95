// The chat page: puts its parts together.
import { isAnswering, keepRunning, runOf, stopAnswers } from './answer.js';
import { dropChat, forgetLoaded, onChats, takeFromTab, takeSaved, takeTitle } from './chats.js';
import { onConflict } from './conflicts.js';
import { drawConnection } from './connection.js';
import { startControls } from './controls.js';
import {
  changeSettings, chooseModel, composer, draw, drawTitle, leave, leaveAll, openAgain, openedChats, openFromAddress, reword, shownChat, sidebar, startChat, tellApart,
} from './conversation.js';
import { find, isComposing } from './dom.js';
import { followEnd } from './follow.js';
import { loadModels, onServerBack } from './models.js';
import { flush } from './outbox.js';
import { onOtherKey } from './server.js';
import { askSettings } from './settings.js';
import { drawStarters } from './starters.js';
import { onTabs } from './tabs.js';
import { onLanguage } from './words.js';
import { startWorker } from './worker.js';

// MARK: What is pressed

function startAndFocus() {
  startChat();
  composer.focus();
}

async function openSettings() {
  const changed = await askSettings(shownChat().settings, { onKey: useOtherKey });
  if (changed) changeSettings(changed);
}

/// Another key has other chats.
/// - Parameter change: has the other key used. Until then what is kept is kept for the earlier one.
async function useOtherKey(change) {
  // Another tab may have changed it while something about a chat was asked here.
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  leaveAll();
  change();
  composer.open(shownChat().id, true);
  forgetLoaded();
  sidebar.clear();
  sidebar.refresh();
  flush();
  if (await loadModels()) chooseModel();
}

/// Turns a setting of the chat on or off.
const toggle = (name, value) => changeSettings({ [name]: shownChat().settings[name] === value ? undefined : value });

find('#new-chat').addEventListener('click', startAndFocus);
find('#new-chat-top').addEventListener('click', startAndFocus);
find('#skip').addEventListener('click', (event) => {
  // The address names the chat.
  event.preventDefault();
  composer.focus();
});
find('#settings').addEventListener('click', openSettings);
find('#settings-summary').addEventListener('click', openSettings);
find('#model').addEventListener('change', (event) => changeSettings({ model: event.target.value }));
find('#json').addEventListener('click', () => toggle('json', true));
find('#think').addEventListener('click', () => toggle('thinking', 'off'));

addEventListener('keydown', (event) => {
  if (document.querySelector('dialog') || isComposing(event)) return;
  if (event.ctrlKey || event.metaKey) {
    const shortcuts = { o: event.shiftKey && startAndFocus, k: !event.shiftKey && (() => sidebar.searchFor()), ',': openSettings };
    const action = shortcuts[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  } else if (event.key === 'Escape' && !event.defaultPrevented && isAnswering(shownChat())) {
    stopAnswers(shownChat());
  }
});

// MARK: What happens

addEventListener('hashchange', openFromAddress);
addEventListener('pagehide', () => keepRunning(openedChats()));

let refreshTimer = null;
function refreshSoon() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => sidebar.refresh(), 150);
}

onChats(() => {
  drawTitle();
  refreshSoon();
});
onOtherKey(useOtherKey);
onConflict((id, copy, isGone) => {
  if (copy) tellApart(id, copy, isGone);
  else if (id === shownChat().id) draw();
});
onTabs((chatId, { message, isDeleted, title, saved }) => {
  if (saved) {
    takeSaved(saved);
    return;
  }
  if (title !== undefined) takeTitle(chatId, title);
  if (isDeleted) {
    dropChat(chatId);
    leave(chatId);
  }
  if (message && takeFromTab(chatId, message, runOf) && chatId === shownChat().id) {
    draw();
    followEnd();
  }
  // What is written elsewhere comes every second; the list changes at its end.
  if (message?.details.finish !== 'interrupted') refreshSoon();
});
onLanguage(() => {
  drawStarters((text) => composer.fill(text));
  reword();
  drawConnection();
  sidebar.refresh();
});
onServerBack(async () => {
  chooseModel();
  await flush();
  sidebar.refresh();
  openAgain();
});

// MARK: Starting

startControls();
drawStarters((text) => composer.fill(text));
draw();
flush();
sidebar.refresh();
if (await loadModels()) chooseModel();
await openFromAddress();
document.body.classList.add('ready');
startWorker();

// The chat page: puts its parts together.
import { answer, isAnswering, keepRunning, runOf, setPrices, stopAnswers } from './answer.js';
import { addMessage, changeChat, dropChat, forgetLoaded, newChat, onChats, openChat, takeFromTab, takeTitle, titleFrom } from './chats.js';
import { Composer } from './composer.js';
import { askKey, showProblem } from './dialogs.js';
import { announce, drawIcons, element, find } from './dom.js';
import { failureText } from './failures.js';
import { followEnd } from './follow.js';
import { Thread } from './messages.js';
import { flush, onOutbox, state as outboxState } from './outbox.js';
import { applyTheme, chooseTheme, theme } from './preferences.js';
import { json, onKeyWanted, setKey } from './server.js';
import { askSettings, defaultSettings, rememberSettings, settingsSummary } from './settings.js';
import { Sidebar } from './sidebar.js';
import { onTabs } from './tabs.js';
import { newestBelow, shownPath } from './tree.js';
import { languages } from './languages.js';
import { chooseLanguage, language, onLanguage, translate, word } from './words.js';

let chat = newChat(defaultSettings());
let models = [];
/// Chats that were open: their answers may go on.
const opened = new Map();
const thread = new Thread(find('#messages'), {
  edit: (message, text) => post(text, message.details.files ?? [], message.parent),
  again: (message) => reply(message.parent),
  retry: (message) => retry(message),
  resume: (message) => reply(message.parent, message),
  choose(message) {
    changeChat(chat, { current: newestBelow(chat, message.id) });
    draw();
    thread.focus(message);
  },
});
const composer = new Composer({ send: (text, files) => post(text, files, shownPath(chat).at(-1)?.id ?? null), stop: () => stopAnswers(chat) });
const sidebar = new Sidebar({
  open: (id) => {
    location.hash = id;
  },
  removed: leave,
});

// MARK: Sending

/// Adds what the user says after `parent`, and has it answered.
/// - Returns: whether it was taken.
function post(text, files, parent) {
  if (isAnswering(chat)) return false;
  if (!chat.settings.model) {
    showProblem(word('noModel'), loadModels);
    return false;
  }
  const isFirst = chat.messages.length === 0;
  if (isFirst) chat.title = titleFrom(text || files[0].name);
  const details = files.length > 0 ? { files } : {};
  const message = addMessage(chat, { parent, role: 'user', content: text, details });
  if (isFirst) {
    history.replaceState(null, '', `#${chat.id}`);
    composer.settle(chat.id);
    sidebar.mark(chat.id);
  }
  reply(message.id);
  return true;
}

/// Has the model answer the message `parent`, or go on with an answer it has begun.
async function reply(parent, begun = null) {
  if (isAnswering(chat)) return;
  const answered = chat;
  let isNew = true;
  announce(word('waiting'));
  await answer(chat, parent, (message) => {
    const isShown = answered === chat;
    if (isShown && (isNew || !runOf(message))) draw();
    else if (isShown) thread.update(message);
    if (isShown && isNew) followEnd(true);
    else if (isShown) followEnd();
    isNew = false;
  }, begun);
  sidebar.refresh();
}

/// An answer that failed before its first word is made anew in its place, others beside it.
function retry(message) {
  if (message.content || message.reasoning) reply(message.parent);
  else reply(message.parent, message);
}

// MARK: Showing

function draw() {
  const path = shownPath(chat);
  thread.show(chat, path);
  find('#empty').hidden = path.length > 0;
  drawTitle();
  composer.update(isAnswering(chat));
  drawSettings();
}

function drawTitle() {
  document.title = chat.title ? `${chat.title} · Swiftlet` : 'Swiftlet';
  find('#title').textContent = chat.title || word('newChat');
  find('#title').classList.toggle('unseen', !chat.title);
}

function drawSettings() {
  const isJSON = Boolean(chat.settings.json);
  find('#json').setAttribute('aria-pressed', String(isJSON));
  const isOff = chat.settings.thinking === 'off';
  find('#think').setAttribute('aria-pressed', String(!isOff));
  const summary = settingsSummary(chat.settings);
  find('#settings-summary').textContent = summary;
  find('#settings-summary').hidden = summary === '';
  find('#model').value = chat.settings.model ?? '';
}

// While something waits or thinks, its seconds go on.
setInterval(() => {
  for (const message of chat.messages) if (runOf(message)?.isThinking) thread.update(message);
}, 250);

// MARK: Chats

/// Leaves a chat that was deleted.
function leave(id) {
  if (opened.has(id)) stopAnswers(opened.get(id));
  if (id === chat.id) startChat();
}

/// Shows an empty chat.
function startChat() {
  chat = newChat({ ...defaultSettings(), model: chosenModel(defaultSettings().model) });
  history.replaceState(null, '', location.pathname);
  show(true);
}

function show(isNew) {
  opened.set(chat.id, chat);
  thread.clear();
  // That the server is away stays to be said.
  if (models.length > 0) showProblem('');
  draw();
  composer.open(chat.id, isNew);
  sidebar.mark(chat.id);
  sidebar.closeDrawer();
  followEnd(true);
}

/// Shows the chat that the address names.
async function openFromAddress() {
  const id = location.hash.slice(1);
  if (!id) {
    startChat();
    return;
  }
  if (id === chat.id) return;
  try {
    const found = await openChat(id, isAnswering);
    if (location.hash.slice(1) !== id) return;
    chat = found;
    chat.settings.model = chosenModel(chat.settings.model);
    show(false);
    if (!matchMedia('(pointer: coarse)').matches) composer.focus();
  } catch (failure) {
    if (failure.status === 404 || failure.status === 422) showProblem(word('noSuchChat'), startChat, word('newChat'));
    else showProblem(failureText(failure), openFromAddress);
  }
}

// MARK: Models and settings

/// The model itself when the server still has it, else its first.
const chosenModel = (name) => (models.includes(name) ? name : (models[0] ?? name));

let modelsTimer = null;
const pauseBeforeModels = 5000;

async function loadModels() {
  clearTimeout(modelsTimer);
  try {
    const list = (await json('GET', '/v1/models')).data;
    // Other names of the same models are for programs.
    models = list.filter((model) => !model.root).map((model) => model.id);
    setPrices((await json('GET', '/api/prices')).prices);
  } catch (failure) {
    showProblem(failureText(failure), loadModels);
    // A server that is started anew is found without a hand's turn.
    if (failure.kind === 'network' || failure.status >= 500) modelsTimer = setTimeout(loadModelsAgain, pauseBeforeModels);
    return;
  }
  find('#model').replaceChildren(...models.map((name) => element('option', { value: name }, name)));
  chat.settings.model = chosenModel(chat.settings.model);
  drawSettings();
}

async function loadModelsAgain() {
  await loadModels();
  if (models.length === 0) return;
  showProblem('');
  flush();
  sidebar.refresh();
  if (location.hash) openFromAddress();
}

function changeSettings(change) {
  const settings = { ...chat.settings, ...change };
  changeChat(chat, { settings });
  // The system prompt is the chat's own.
  rememberSettings({ ...settings, system: undefined });
  drawSettings();
}

async function openSettings() {
  const changed = await askSettings(chat.settings, { onKey: useOtherKey });
  if (changed) changeSettings(changed);
}

/// Another key has other chats.
function useOtherKey() {
  forgetLoaded();
  sidebar.refresh();
  flush();
  loadModels();
}

onKeyWanted(async (isWrong) => {
  const given = await askKey(isWrong);
  if (!given) return false;
  setKey(given.key, given.isKept);
  return true;
});

// MARK: Starting

function drawStarters() {
  const starters = ['starterExplain', 'starterCode', 'starterTable', 'starterIdeas'];
  find('#starters').replaceChildren(...starters.map((name) => element(
    'button', { type: 'button', class: 'starter', on: { click: () => composer.fill(word(`${name}Prompt`)) } },
    element('strong', {}, word(name)), element('span', {}, word(`${name}Prompt`)))));
}

function drawTheme() {
  const label = `${word('theme')}: ${word(`theme-${theme()}`)}`;
  find('#theme').setAttribute('aria-label', label);
  find('#theme').title = label;
}

function drawConnection() {
  const { count, problem } = outboxState();
  const line = find('#connection');
  const text = !navigator.onLine && location.hostname !== 'localhost' && !/^127\./.test(location.hostname) ? word('offline') : problem && count > 0 ? word('unsaved') : '';
  line.hidden = text === '';
  if (line.firstChild?.textContent !== text) line.replaceChildren(element('span', {}, text), element('button', { type: 'button', class: 'button small', on: { click: flush } }, word('tryAgain')));
}

find('#language').append(...Object.entries(languages).map(([tag, { name }]) => element('option', { value: tag, lang: tag }, name)));
find('#language').value = language();
find('#language').addEventListener('change', (event) => chooseLanguage(event.target.value));
find('#theme').addEventListener('click', () => {
  chooseTheme({ system: 'light', light: 'dark', dark: 'system' }[theme()]);
  drawTheme();
});
find('#new-chat').addEventListener('click', () => {
  startChat();
  composer.focus();
});
find('#new-chat-top').addEventListener('click', () => {
  startChat();
  composer.focus();
});
find('#skip').addEventListener('click', (event) => {
  // The address names the chat.
  event.preventDefault();
  composer.focus();
});
find('#settings').addEventListener('click', openSettings);
find('#settings-summary').addEventListener('click', openSettings);
find('#model').addEventListener('change', (event) => changeSettings({ model: event.target.value }));
find('#json').addEventListener('click', () => changeSettings({ json: chat.settings.json ? undefined : true }));
find('#think').addEventListener('click', () => changeSettings({ thinking: chat.settings.thinking === 'off' ? undefined : 'off' }));

addEventListener('keydown', (event) => {
  const isCommand = event.ctrlKey || event.metaKey;
  const shortcuts = { o: event.shiftKey && startAndFocus, k: !event.shiftKey && (() => sidebar.searchFor()), ',': openSettings };
  if (isCommand && !document.querySelector('dialog')) {
    const action = shortcuts[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  } else if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog') && isAnswering(chat)) {
    stopAnswers(chat);
  }
});

function startAndFocus() {
  startChat();
  composer.focus();
}

addEventListener('hashchange', openFromAddress);
addEventListener('pagehide', () => keepRunning(opened.values()));
addEventListener('online', drawConnection);
addEventListener('offline', drawConnection);
onOutbox(drawConnection);
let refreshTimer = null;
function refreshSoon() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => sidebar.refresh(), 150);
}

onChats(() => {
  drawTitle();
  refreshSoon();
});
onTabs((chatId, { message, isDeleted, title }) => {
  if (title !== undefined) takeTitle(chatId, title);
  if (isDeleted) {
    dropChat(chatId);
    leave(chatId);
  }
  if (message && takeFromTab(chatId, message, runOf) && chatId === chat.id) {
    draw();
    followEnd();
  }
  // What is written elsewhere comes every second; the list changes at its end.
  if (message?.details.finish !== 'interrupted') refreshSoon();
});
onLanguage(() => {
  drawStarters();
  drawTheme();
  thread.clear();
  draw();
  composer.drawFiles();
  sidebar.refresh();
});

translate(document);
drawIcons();
drawStarters();
applyTheme();
drawTheme();
flush();
sidebar.refresh();
await loadModels();
await openFromAddress();
document.body.classList.add('ready');

if ('serviceWorker' in navigator) {
  // A script's address is something Trusted Types want to be sure of.
  const policy = globalThis.trustedTypes?.createPolicy('swiftlet', { createScriptURL: () => '/sw.js' });
  navigator.serviceWorker.register(policy ? policy.createScriptURL('') : '/sw.js').catch(() => {
    // The page works without; it only cannot be opened when the server is away.
  });
}

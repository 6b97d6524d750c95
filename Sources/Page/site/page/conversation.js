// The chat that is shown: what is asked, what is answered, and how it is looked at.
import { answer, isAnswering, leaveAnswers, runOf, stopAnswers } from './answer.js';
import { addMessage, changeChat, newChat, openChat, titleFrom } from './chats.js';
import { Composer } from './composer.js';
import { showProblem } from './dialogs.js';
import { announce, find, isTouched } from './dom.js';
import { failureText } from './failures.js';
import { followEnd } from './follow.js';
import { Thread } from './messages.js';
import { canThink, chosenModel, hasModels, loadModelsAgain } from './models.js';
import { defaultSettings, rememberSettings, settingsSummary } from './settings.js';
import { Sidebar } from './sidebar.js';
import { newestBelow, place, shownPath } from './tree.js';
import { number, word } from './words.js';

let chat = newChat(defaultSettings());
/// Whether it is shown already, and not only what the page begins with.
let isShown = false;
/// Chats that were open: their answers may go on.
const opened = new Map();
const thread = new Thread(find('#messages'), {
  edit: (message, text) => post(text, message.details.files ?? [], message.parent),
  again: (message) => reply(message.parent),
  retry,
  resume: (message) => reply(message.parent, message),
  choose(message, action) {
    changeChat(chat, { current: newestBelow(chat, message.id) });
    draw();
    const { index, all } = place(chat, message);
    announce(word('version', { index: number(index + 1), count: number(all.length) }));
    thread.focusButton(message, action);
  },
});
export const composer = new Composer({
  send: (text, files) => post(text, files, shownPath(chat).at(-1)?.id ?? null), stop: () => stopAnswers(chat),
});
export const sidebar = new Sidebar({
  open: (id) => {
    location.hash = id;
  },
  removed: leave,
});

export const shownChat = () => chat;
export const openedChats = () => opened.values();

// MARK: Sending

/// Adds what the user says after `parent`, and has it answered.
/// - Returns: whether it was taken.
function post(text, files, parent) {
  if (isAnswering(chat)) return false;
  if (!chat.settings.model) {
    showProblem(word('noModel'), loadModelsAgain);
    return false;
  }
  const isFirst = chat.messages.length === 0;
  if (isFirst) chat.title = titleFrom(text || files[0].name);
  const details = files.length > 0 ? { files } : {};
  const message = addMessage(chat, { parent, role: 'user', content: text, details });
  if (isFirst) settle();
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

export function draw() {
  const path = shownPath(chat);
  thread.show(chat, path);
  find('#empty').hidden = path.length > 0;
  drawTitle();
  composer.update(isAnswering(chat));
  drawSettings();
}

/// Says all anew, as in another language.
export function reword() {
  thread.reword();
  draw();
  composer.drawFiles();
}

export function drawTitle() {
  document.title = chat.title ? `${chat.title} · Swiftlet` : 'Swiftlet';
  find('#title').textContent = chat.title || word('newChat');
  find('#title').classList.toggle('unseen', !chat.title);
}

function drawSettings() {
  const isJSON = Boolean(chat.settings.json);
  find('#json').setAttribute('aria-pressed', String(isJSON));
  const think = find('#think');
  const isOff = chat.settings.thinking === 'off';
  think.setAttribute('aria-pressed', String(!isOff));
  const isHidden = !canThink(chat.settings.model);
  // A server that is back may have another model; the focus does not go with the button.
  if (isHidden && document.activeElement === think) composer.focus();
  think.hidden = isHidden;
  const summary = settingsSummary(chat.settings);
  find('#settings-summary').textContent = summary;
  find('#settings-summary').hidden = summary === '';
  find('#model').value = chat.settings.model ?? '';
}

export function changeSettings(change) {
  const settings = { ...chat.settings, ...change };
  changeChat(chat, { settings });
  // The system prompt is the chat's own.
  rememberSettings({ ...settings, system: undefined });
  drawSettings();
}

/// Takes a model that the server has.
export function chooseModel() {
  chat.settings.model = chosenModel(chat.settings.model);
  drawSettings();
}

// While something waits or thinks, its seconds go on.
setInterval(() => {
  for (const message of chat.messages) if (runOf(message)?.isThinking) thread.update(message);
}, 250);

// MARK: Going from chat to chat

/// Leaves a chat that was deleted. What is being written goes along.
export function leave(id) {
  if (opened.has(id)) stopAnswers(opened.get(id));
  if (id !== chat.id) return;
  composer.leaveChat();
  startChat();
}

/// Leaves all chats, which are those of another key from now on.
export function leaveAll() {
  leaveAnswers([...opened.values()]);
  opened.clear();
  startChat();
}

/// Shows an empty chat.
export function startChat() {
  chat = newChat({ ...defaultSettings(), model: chosenModel(defaultSettings().model) });
  history.replaceState(null, '', location.pathname);
  show(true);
}

function show(isNew) {
  isShown = true;
  opened.set(chat.id, chat);
  thread.clear();
  // That the server is away stays to be said.
  if (hasModels()) showProblem('');
  draw();
  composer.open(chat.id, isNew);
  sidebar.mark(chat.id);
  sidebar.closeDrawer();
  followEnd(true);
}

/// Gives the chat that is shown its place in the address and in the list.
function settle() {
  history.replaceState(null, '', `#${chat.id}`);
  composer.settle(chat.id);
  sidebar.mark(chat.id);
}

/// Shows the chat that the address names.
export async function openFromAddress() {
  const id = location.hash.slice(1);
  if (!id) startChat();
  else if (id !== chat.id) await open(id);
}

/// Looks again at the chat that the address names, when the server may have another version.
export async function openAgain() {
  const id = location.hash.slice(1);
  // What is being written or changed here goes on.
  if (id && !isAnswering(chat) && !find('.editor')) await open(id);
}

async function open(id) {
  const focused = document.activeElement;
  try {
    const found = await openChat(id, isAnswering);
    if (location.hash.slice(1) !== id) return;
    const isOther = id !== chat.id;
    chat = found;
    chat.settings.model = chosenModel(chat.settings.model);
    if (!isOther) {
      opened.set(id, chat);
      draw();
      return;
    }
    show(false);
    // Who has gone elsewhere meanwhile stays there.
    if (document.activeElement === focused && !isTouched.matches) composer.focus();
  } catch (failure) {
    cannotOpen(id, failure);
  }
}

function cannotOpen(id, failure) {
  if (failure.status === 404 || failure.status === 422) {
    startChat();
    showProblem(word('noSuchChat'), () => composer.focus(), word('understood'));
  } else if (isShown) {
    // What is written now is for the chat that is seen.
    history.replaceState(null, '', chat.messages.length > 0 ? `#${chat.id}` : location.pathname);
    showProblem(failureText(failure), () => {
      location.hash = id;
    });
  } else {
    showProblem(failureText(failure), () => open(id));
  }
}

/// Tells that this browser's version of a chat is kept as `copy`, beside what somebody else made of it.
export function tellApart(id, copy, isGone) {
  opened.delete(id);
  opened.set(copy.id, copy);
  const isShown = copy === chat;
  if (isShown) {
    settle();
    draw();
  }
  const text = word(isGone ? 'deletedElsewhere' : 'changedElsewhere', { title: copy.title });
  const other = isShown && !isGone ? id : isShown ? null : copy.id;
  showProblem(text, () => {
    if (other) location.hash = other;
  }, word(other ? 'showOther' : 'understood'));
}

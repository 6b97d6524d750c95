// The list of chats: a column beside the chat, a drawer on small screens.
import { ChatRow } from './chat-row.js';
import { deleteChat, exportAddress, listChats, renameChat } from './chats.js';
import { askText, confirm } from './dialogs.js';
import { announce, arrange, download, element, find, isComposing, keepingFocus } from './dom.js';
import { failureText } from './failures.js';
import { send } from './server.js';
import { language, word } from './words.js';

const pauseWhileTyping = 200;
/// Chats that are listed at once, and more each time that more are asked for.
const chatsAtOnce = 200;

/// The list and what can be done with its chats.
export class Sidebar {
  /// - Parameter actions: `open(id)`, `removed(id)`.
  constructor(actions) {
    this.actions = actions;
    this.list = find('#chats');
    this.field = find('#search');
    /// Rows by the ids of their chats, and sections by their headings.
    this.rows = new Map();
    this.sections = new Map();
    this.most = chatsAtOnce;
    this.more = element('button', { type: 'button', class: 'button small', on: { click: () => this.showMore() } });
    this.rowActions = {
      open: (id) => {
        this.closeDrawer();
        actions.open(id);
      },
      rename: (chat) => this.rename(chat), delete: (chat) => this.remove(chat),
      exportMarkdown: (chat) => this.export(chat, 'markdown'), exportJSON: (chat) => this.export(chat, 'json'),
    };
    this.isNarrow = matchMedia('(max-width: 55rem)');
    this.field.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.most = chatsAtOnce;
      this.timer = setTimeout(() => this.refresh(), pauseWhileTyping);
    });
    this.field.addEventListener('keydown', (event) => this.onFieldKey(event));
    this.list.addEventListener('keydown', (event) => this.onKey(event));
    find('#menu').addEventListener('click', () => this.toggle());
    find('#close-menu').addEventListener('click', () => this.toggle(false));
    find('#shade').addEventListener('click', () => this.toggle(false));
    find('#sidebar').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.isNarrow.matches && !isComposing(event)) this.toggle(false);
    });
    this.isNarrow.addEventListener('change', () => this.toggle(!this.isNarrow.matches, false));
    this.toggle(!this.isNarrow.matches, false);
  }

  toggle(isOpen = !document.body.classList.contains('menu-open'), movesFocus = true) {
    document.body.classList.toggle('menu-open', isOpen);
    find('#menu').setAttribute('aria-expanded', String(isOpen));
    // A closed drawer is out of the way of the keyboard too, and an open one keeps it.
    find('#sidebar').inert = !isOpen;
    find('main').inert = isOpen && this.isNarrow.matches;
    if (movesFocus) (isOpen ? find('#new-chat') : find('#menu')).focus();
  }

  /// After something was chosen in the drawer.
  closeDrawer() {
    if (this.isNarrow.matches && document.body.classList.contains('menu-open')) this.toggle(false, false);
  }

  searchFor() {
    this.toggle(true, false);
    this.field.focus();
    this.field.select();
  }

  mark(id) {
    this.current = id;
    for (const [other, row] of this.rows) row.mark(other === id);
  }

  /// Asks the server for the list. Of several questions at once, the last one's answer is shown.
  async refresh() {
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const search = this.field.value.trim();
    const { chats, failure, isCut } = await listChats(search, this.most, asked.signal);
    if (asked !== this.asked) return;
    keepingFocus(() => this.show(chats, search, failure, isCut));
    const found = search && word('foundCount', { count: chats.length });
    // Not again when the same is found again.
    if (found && this.said !== `${search}\n${found}`) announce(found);
    this.said = `${search}\n${found}`;
  }

  /// The chats are somebody else's from now on.
  clear() {
    this.show([], '', null, false);
  }

  showMore() {
    this.most += chatsAtOnce;
    this.refresh();
  }

  show(chats, search, failure, isCut) {
    const place = [...this.rows.values()].findIndex((row) => row.node.contains(document.activeElement));
    const groups = new Map();
    for (const chat of chats) {
      const age = search ? 'found' : ageOf(chat.updated);
      groups.set(age, [...(groups.get(age) ?? []), chat]);
    }
    const rows = new Map(chats.map((chat) => [chat.id, this.rows.get(chat.id) ?? new ChatRow(this.rowActions)]));
    for (const [id, row] of this.rows) if (!rows.has(id)) row.leave();
    this.rows = rows;
    for (const chat of chats) rows.get(chat.id).update(chat);
    const sections = new Map([...groups.keys()].map((age) => [age, this.sections.get(age) ?? newSection()]));
    this.sections = sections;
    for (const [age, { heading, rows: list }] of sections) {
      heading.textContent = word(age);
      arrange(list, groups.get(age).map((chat) => rows.get(chat.id).node));
    }
    const nodes = [...sections.values()].map((section) => section.node);
    if (failure) nodes.unshift(this.failureNode(failure));
    else if (chats.length === 0) nodes.push(element('p', { class: 'hint' }, word(search ? 'nothingFound' : 'noChats')));
    this.more.textContent = word('olderChats');
    if (isCut) nodes.push(this.more);
    arrange(this.list, nodes);
    this.mark(this.current);
    // Where the chat that had the focus is gone, the one in its place has it.
    const left = [...rows.values()];
    if (place >= 0 && !left.some((row) => row.node.contains(document.activeElement)) && document.activeElement === document.body) {
      (left[Math.min(place, left.length - 1)]?.link ?? find('#new-chat')).focus({ preventScroll: true });
    }
  }

  /// What went wrong. The same is not said again.
  failureNode(failure) {
    const text = failureText(failure);
    if (this.failure?.isConnected && this.failure.dataset.text === text) return this.failure;
    this.failure = element(
      'div', { class: 'notice bad', role: 'alert', 'data-text': text }, element('div', {}, text),
      element('div', { class: 'notice-buttons' }, element('button', { type: 'button', class: 'button small', on: { click: () => this.refresh() } }, word('tryAgain'))));
    return this.failure;
  }

  onFieldKey(event) {
    if (isComposing(event)) return;
    if (event.key === 'Escape' && this.field.value) {
      event.stopPropagation();
      this.field.value = '';
      this.refresh();
    } else if (event.key === 'ArrowDown') {
      event.preventDefault();
      this.list.querySelector('a')?.focus();
    }
  }

  /// Up and down through the chats.
  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.matches('a')) return;
    const links = [...this.list.querySelectorAll('a')];
    const next = links[links.indexOf(event.target) + step];
    event.preventDefault();
    if (next) next.focus();
    else if (step < 0) this.field.focus();
  }

  async rename(chat) {
    const title = await askText(word('rename'), word('title'), chat.title);
    if (title) renameChat(chat, title);
  }

  async remove(chat) {
    const title = chat.title || word('untitled');
    if (!(await confirm(word('deleteTitle'), word('deleteText', { title }), word('delete')))) return;
    try {
      await deleteChat(chat.id);
      announce(word('deleted', { title }));
      this.actions.removed(chat.id);
    } catch (failure) {
      this.list.prepend(this.failureNode(failure));
    }
  }

  async export(chat, format) {
    try {
      const response = await send('GET', await exportAddress(chat.id, format));
      const name = (chat.title || word('untitled')).replace(/[\\/:*?"<>|\u0000-\u001f]+/g, ' ').trim().slice(0, 80);
      download(`${name || 'chat'}.${format === 'json' ? 'json' : 'md'}`, await response.blob());
    } catch (failure) {
      this.list.prepend(this.failureNode(failure));
    }
  }
}

function newSection() {
  const heading = element('h3');
  const rows = element('ul');
  return { heading, rows, node: element('section', {}, heading, rows) };
}

/// Which heading a chat stands under.
function ageOf(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return 'today';
  if (time >= midnight - 86_400_000) return 'yesterday';
  if (time >= midnight - 6 * 86_400_000) return 'thisWeek';
  return new Intl.DateTimeFormat(language(), { month: 'long', year: 'numeric' }).format(time);
}

// The list of chats: a column beside the chat, a drawer on small screens.
import { deleteChat, exportAddress, listChats, renameChat } from './chats.js';
import { askText, confirm } from './dialogs.js';
import { announce, download, element, find, iconButton } from './dom.js';
import { failureText } from './failures.js';
import { send } from './server.js';
import { language, word } from './words.js';

const pauseWhileTyping = 200;

/// The list and what can be done with its chats.
export class Sidebar {
  /// - Parameter actions: `open(id)`, `removed(id)`.
  constructor(actions) {
    this.actions = actions;
    this.list = find('#chats');
    this.field = find('#search');
    this.isNarrow = matchMedia('(max-width: 55rem)');
    this.field.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), pauseWhileTyping);
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.field.value) {
        event.stopPropagation();
        this.field.value = '';
        this.refresh();
      }
    });
    this.list.addEventListener('keydown', (event) => this.onKey(event));
    find('#menu').addEventListener('click', () => this.toggle());
    find('#close-menu').addEventListener('click', () => this.toggle(false));
    find('#shade').addEventListener('click', () => this.toggle(false));
    find('#sidebar').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.isNarrow.matches) this.toggle(false);
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
    for (const link of this.list.querySelectorAll('a')) {
      if (link.dataset.id === id) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  /// Asks the server for the list. Of several questions at once, the last one's answer is shown.
  async refresh() {
    const asked = (this.asked = {});
    const search = this.field.value.trim();
    const { chats, failure } = await listChats(search);
    if (asked !== this.asked) return;
    const focused = document.activeElement?.closest?.('#chats li')?.dataset.id;
    const groups = new Map();
    for (const chat of chats) {
      const age = search ? 'found' : ageOf(chat.updated);
      groups.set(age, [...(groups.get(age) ?? []), chat]);
    }
    const nodes = [...groups].map(([age, members]) => element(
      'section', {}, element('h3', {}, word(age)), element('ul', {}, members.map((chat) => this.row(chat)))));
    if (failure) nodes.unshift(this.failureNode(failure));
    else if (chats.length === 0) nodes.push(element('p', { class: 'hint' }, word(search ? 'nothingFound' : 'noChats')));
    this.list.replaceChildren(...nodes);
    this.mark(this.current);
    if (focused) this.list.querySelector(`li[data-id="${CSS.escape(focused)}"] a`)?.focus();
    if (search) announce(word('foundCount', { count: chats.length }));
  }

  failureNode(failure) {
    return element(
      'div', { class: 'notice bad', role: 'alert' }, element('div', {}, failureText(failure)),
      element('div', { class: 'notice-buttons' }, element('button', { type: 'button', class: 'button small', on: { click: () => this.refresh() } }, word('tryAgain'))));
  }

  row(chat) {
    const title = chat.title || word('untitled');
    const link = element('a', { href: `#${chat.id}`, 'data-id': chat.id, dir: 'auto' }, element('span', { class: 'chat-title' }, title));
    if (chat.excerpt) link.append(element('span', { class: 'excerpt' }, chat.excerpt));
    link.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.closeDrawer();
      this.actions.open(chat.id);
    });
    const more = iconButton('more', word('moreFor', { title }), () => this.menu(chat, more), { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
    return element('li', { 'data-id': chat.id }, link, more);
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

  menu(chat, button) {
    const row = button.closest('li');
    if (row.querySelector('[role="menu"]')) return;
    const entries = [
      ['rename', () => this.rename(chat)], ['exportMarkdown', () => this.export(chat, 'markdown')], ['exportJSON', () => this.export(chat, 'json')],
      ['delete', () => this.remove(chat)],
    ];
    const items = entries.map(([key, action]) => element(
      'button', { type: 'button', role: 'menuitem', tabindex: '-1', class: key === 'delete' ? 'danger' : null, on: { click: () => choose(action) } }, word(key)));
    const menu = element('div', { class: 'menu', role: 'menu', 'aria-label': chat.title || word('untitled') }, items);
    const close = (givesFocus) => {
      menu.remove();
      button.setAttribute('aria-expanded', 'false');
      removeEventListener('pointerdown', outside, true);
      if (givesFocus) button.focus();
    };
    const choose = (action) => {
      close(true);
      action();
    };
    const outside = (event) => {
      if (!menu.contains(event.target)) close(false);
    };
    menu.addEventListener('keydown', (event) => {
      const index = items.indexOf(document.activeElement);
      const targets = { ArrowDown: index + 1, ArrowUp: index - 1 + items.length, Home: 0, End: items.length - 1 };
      if (event.key in targets) {
        event.preventDefault();
        items[targets[event.key] % items.length].focus();
      } else if (event.key === 'Escape' || event.key === 'Tab') {
        event.preventDefault();
        event.stopPropagation();
        close(true);
      }
    });
    addEventListener('pointerdown', outside, true);
    button.setAttribute('aria-expanded', 'true');
    row.append(menu);
    // The last rows open upwards.
    menu.classList.toggle('above', menu.getBoundingClientRect().bottom > this.list.getBoundingClientRect().bottom);
    items[0].focus();
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

/// Which heading a chat stands under.
function ageOf(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return 'today';
  if (time >= midnight - 86_400_000) return 'yesterday';
  if (time >= midnight - 6 * 86_400_000) return 'thisWeek';
  return new Intl.DateTimeFormat(language(), { month: 'long', year: 'numeric' }).format(time);
}

// A chat in the list, with the menu of what can be done with it. The row stays the same node while the list changes around it, so that
// the focus and an open menu last.
import { element, iconButton } from './dom.js';
import { word } from './words.js';

export class ChatRow {
  /// - Parameter actions: `open(id)`, and by the words of the menu's entries what they do with a chat.
  constructor(actions) {
    this.actions = actions;
    this.title = element('span', { class: 'chat-title' });
    this.excerpt = element('span', { class: 'excerpt' });
    this.link = element('a', { dir: 'auto', on: { click: (event) => this.onClick(event) } }, this.title, this.excerpt);
    this.button = iconButton('more', '', () => this.openMenu(), { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
    this.node = element('li', {}, this.link, this.button);
    this.closeMenu = null;
  }

  /// - Parameter chat: as the list has it.
  update(chat) {
    this.chat = chat;
    const title = chat.title || word('untitled');
    this.node.dataset.id = chat.id;
    this.link.dataset.id = chat.id;
    this.link.setAttribute('href', `#${chat.id}`);
    setText(this.title, title);
    setText(this.excerpt, chat.excerpt ?? '');
    this.excerpt.hidden = !chat.excerpt;
    // The list cuts long ones off.
    if (this.link.title !== title) this.link.title = title;
    const label = word('moreFor', { title });
    if (this.button.title === label) return;
    this.button.title = label;
    this.button.setAttribute('aria-label', label);
  }

  mark(isCurrent) {
    if (isCurrent) this.link.setAttribute('aria-current', 'page');
    else this.link.removeAttribute('aria-current');
  }

  /// Before the row leaves the list.
  leave() {
    this.closeMenu?.(false);
  }

  onClick(event) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.actions.open(this.chat.id);
  }

  openMenu() {
    if (this.closeMenu) {
      this.closeMenu(true);
      return;
    }
    const items = ['rename', 'exportMarkdown', 'exportJSON', 'delete'].map((key) => element('button', {
      type: 'button', role: 'menuitem', tabindex: '-1', class: key === 'delete' ? 'danger' : null, on: { click: () => choose(this.actions[key]) },
    }, word(key)));
    const menu = element('div', { class: 'menu', role: 'menu', 'aria-label': this.chat.title || word('untitled') }, items);
    const close = (givesFocus) => {
      this.closeMenu = null;
      menu.remove();
      this.button.setAttribute('aria-expanded', 'false');
      removeEventListener('pointerdown', outside, true);
      if (givesFocus) this.button.focus();
    };
    const choose = (action) => {
      close(true);
      action(this.chat);
    };
    const outside = (event) => {
      if (!menu.contains(event.target) && !this.button.contains(event.target)) close(false);
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
    this.closeMenu = close;
    addEventListener('pointerdown', outside, true);
    this.button.setAttribute('aria-expanded', 'true');
    this.node.append(menu);
    // The last rows open upwards.
    menu.classList.toggle('above', menu.getBoundingClientRect().bottom > this.node.closest('#chats').getBoundingClientRect().bottom);
    items[0].focus();
  }
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

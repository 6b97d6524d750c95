// The messages of a chat, from the beginning to the current one.
import { runOf, textForModel } from './answer.js';
import { announce, arrange, copyText, element, icon, iconButton, isComposing, isTouched, keepingFocus } from './dom.js';
import { failureText } from './failures.js';
import { Follower } from './follow.js';
import { forgetShown, showCode, showMarkdown } from './markdown.js';
import { isElsewhere } from './tabs.js';
import { place } from './tree.js';
import { duration, number, price, word } from './words.js';

/// What a model answers, without the tags that it may have been taught to put around it (as R1-Zero was).
function answerText({ content }) {
  const text = content.trimStart();
  return text.startsWith('<answer>') ? text.slice('<answer>'.length).replace(/<\/answer>\s*$/, '') : content;
}

/// Shows messages in `container`.
export class Thread {
  /// - Parameter actions: `edit(message, text)`, `again(message)` beside it, `retry(message)` in its place, `resume(message)`,
  ///   `choose(message, action)` from a button that is called `action`.
  constructor(container, actions) {
    this.container = container;
    this.actions = actions;
    this.views = new Map();
  }

  /// - Parameter messages: those to be shown; views of messages that stay are kept.
  show(chat, messages) {
    this.chat = chat;
    const views = messages.map((message) => this.views.get(message.id) ?? new MessageView(message, this));
    this.views = new Map(views.map((view, index) => [messages[index].id, view]));
    keepingFocus(() => arrange(this.container, views.map((view) => view.node)));
    views.forEach((view, index) => {
      // The server's version of it may be another object.
      view.message = messages[index];
      view.update();
    });
  }

  update(message) {
    this.views.get(message.id)?.update();
  }

  /// Says everything anew, as in another language.
  reword() {
    for (const view of this.views.values()) view.reword();
  }

  clear() {
    this.views.clear();
    this.container.replaceChildren();
  }

  /// Gives the focus to a button below a message, or to another one that goes through its versions.
  focusButton(message, action) {
    const { node } = this.views.get(message.id);
    const names = [action, 'previous', 'next'];
    (names.map((name) => node.querySelector(`[data-action="${name}"]:not(:disabled)`)).find(Boolean) ?? node).focus({ preventScroll: true });
    node.scrollIntoView({ block: 'nearest' });
  }
}

class MessageView {
  constructor(message, thread) {
    this.message = message;
    this.thread = thread;
    const isUser = message.role === 'user';
    this.body = element('div', { class: 'text', dir: 'auto' });
    this.thought = isUser ? null : new ThoughtView();
    this.notice = element('div', { class: 'notices' });
    this.foot = element('div', { class: 'message-foot' });
    this.files = element('ul', { class: 'files', 'aria-label': word('files') });
    this.name = element('h2', { class: 'off-screen' }, word(isUser ? 'you' : 'answer'));
    this.node = element(
      'article', { class: `message ${isUser ? 'of-user' : 'of-model'}`, tabindex: '-1', 'data-id': message.id }, this.name, this.thought?.node,
      element('div', { class: 'bubble' }, this.files, this.body), this.notice, this.foot);
    this.spoken = 0;
    this.frame = null;
  }

  reword() {
    this.name.textContent = word(this.message.role === 'user' ? 'you' : 'answer');
    this.files.setAttribute('aria-label', word('files'));
    forgetShown(this.body);
    if (this.thought) forgetShown(this.thought.text);
    this.footState = null;
    this.hasRun = false;
    this.draw();
  }

  /// Shows what has changed, at most once a frame.
  update() {
    const isRunning = Boolean(runOf(this.message));
    if (isRunning && this.isRunning) {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.draw();
      });
    } else {
      this.draw();
    }
    this.isRunning = isRunning;
  }

  draw() {
    const { message } = this;
    const run = runOf(message);
    if (run) this.hasRun = true;
    this.node.setAttribute('aria-busy', String(Boolean(run)));
    if (this.editor) return;
    if (message.role === 'user') this.drawUser();
    else this.drawAnswer(run);
    const isWritten = Boolean(run) || isElsewhere(message);
    const { index, all } = place(this.thread.chat, message);
    const state = JSON.stringify([isWritten, message.details, message.content === '', index, all.length]);
    if (state === this.footState) return;
    this.footState = state;
    const focused = this.foot.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    this.notice.replaceChildren(...(isWritten ? [] : this.notices()));
    this.foot.replaceChildren(...(isWritten ? [] : this.footNodes()));
    if (focused) this.foot.querySelector(`[data-action="${focused}"]`)?.focus();
  }

  drawUser() {
    const files = this.message.details.files ?? [];
    this.files.hidden = files.length === 0;
    this.files.replaceChildren(...files.map((file) => element('li', { class: 'file' }, icon('file'), element('span', {}, file.name))));
    this.body.textContent = this.message.content;
    this.body.hidden = this.message.content === '';
  }

  drawAnswer(run) {
    const { message } = this;
    this.files.hidden = true;
    this.thought.update(message, run);
    this.body.classList.toggle('writing', Boolean(run) && !run.isThinking);
    if (run?.isWaiting && !message.content) {
      if (!this.body.querySelector('.dots')) {
        this.body.replaceChildren(element('span', { class: 'dots', role: 'img', 'aria-label': word('waiting') }, ...Array.from({ length: 3 }, () => element('i'))));
      }
      return;
    }
    if (this.body.querySelector('.dots')) forgetShown(this.body);
    if (message.details.json && message.content) this.drawJSON();
    else showMarkdown(this.body, answerText(message));
    this.speak(run);
  }

  drawJSON() {
    let text = this.message.content;
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not whole yet.
    }
    showCode(this.body, text, 'json');
  }

  /// Screen readers hear an answer sentence by sentence while it is written.
  speak(run) {
    const text = answerText(this.message);
    if (!this.hasRun || this.spoken >= text.length) return;
    const rest = text.slice(this.spoken);
    const end = run ? Math.max(...[...rest.matchAll(/[.!?。！？\n](?=\s|$)|[。！？]/g)].map((match) => match.index + match[0].length), 0) : rest.length;
    if (end === 0) return;
    this.spoken += end;
    const sentence = rest.slice(0, end).trim();
    if (sentence) announce(sentence);
  }

  notices() {
    const { details } = this.message;
    const { finish, error, filter } = details;
    if (this.message.role === 'user') return [];
    const hasText = Boolean(this.message.content || this.message.reasoning);
    const resume = element('button', { type: 'button', class: 'button small', on: { click: () => this.thread.actions.resume(this.message) } }, icon('resume'), word('resume'));
    const again = element('button', { type: 'button', class: 'button small', on: { click: () => this.thread.actions.retry(this.message) } }, icon('again'), word('tryAgain'));
    // What is read when an old chat is opened is not news.
    const notice = (text, isBad, ...children) =>
      element('div', { class: `notice${isBad ? ' bad' : ''}`, role: !this.hasRun ? null : isBad ? 'alert' : 'status' }, icon('warning'), element('div', {}, text), element('div', { class: 'notice-buttons' }, children));
    // A continued JSON text would not be bound by the grammar from its beginning.
    const canResume = hasText && !details.json;
    if (error) return [notice(failureText(error), true, canResume ? resume : null, again)];
    if (finish === 'interrupted') return [notice(word('brokenOff'), true, canResume ? resume : null, again)];
    if (finish === 'insufficient_system_resource') return [notice(word('serverStopped'), true, canResume ? resume : null, again)];
    if (finish === 'length') return [notice(word('tooLong'), false, canResume ? resume : null)];
    if (finish === 'content_filter') return [notice(word('filtered', { rule: filter?.rule ?? '', message: filter?.message ?? '' }), false)];
    if (finish === 'stopped') return [notice(word('stopped'), false, canResume ? resume : null)];
    if (finish === 'stop' && !this.message.content && hasText === false) return [notice(word('emptyAnswer'), false, again)];
    return [];
  }

  footNodes() {
    const { message, thread } = this;
    const { actions, chat } = thread;
    const { index, all } = place(chat, message);
    const isUser = message.role === 'user';
    const named = (name, label, action) => iconButton(name, label, action, { 'data-action': name });
    const nodes = [];
    if (all.length > 1) {
      const go = (step, name) => () => actions.choose(place(thread.chat, this.message).all[index + step], name);
      const previous = iconButton('previous', word('previousVersion'), go(-1, 'previous'), { 'data-action': 'previous', disabled: index === 0 });
      const next = iconButton('next', word('nextVersion'), go(1, 'next'), { 'data-action': 'next', disabled: index === all.length - 1 });
      const label = word('version', { index: number(index + 1), count: number(all.length) });
      const count = element('span', { class: 'version', 'aria-label': label }, `${number(index + 1)} / ${number(all.length)}`);
      nodes.push(element('div', { class: 'versions', role: 'group', 'aria-label': word('versions') }, previous, count, next));
    }
    if (isUser || message.content) {
      const copy = named('copy', word(isUser ? 'copyMessage' : 'copyAnswer'), () => {});
      nodes.push(copyFlash(copy, () => (isUser ? textForModel(this.message) : answerText(this.message))));
    }
    if (isUser) nodes.push(named('edit', word('edit'), () => this.edit()));
    else nodes.push(named('again', word('again'), () => actions.again(this.message)));
    if (!isUser) nodes.push(this.numbers());
    return nodes;
  }

  numbers() {
    const { usage, decodeSeconds, decodeTokens, seconds, cost, model } = this.message.details;
    const parts = [];
    if (usage?.completion) parts.push(word(usage.completion === 1 ? 'token' : 'tokens', { count: number(usage.completion) }));
    if (decodeSeconds > 0 && decodeTokens > 0) {
      parts.push(word('perSecond', { count: number(decodeTokens / decodeSeconds, { maximumFractionDigits: 1 }) }));
    }
    if (seconds) parts.push(duration(seconds));
    if (typeof cost === 'number') parts.push(price(cost));
    const tip = usage && !usage.isCounted
      ? word('numbersTip', { model: model ?? '', prompt: number(usage.prompt), cached: number(usage.cached), reasoning: number(usage.reasoning) }) : null;
    return element('span', { class: 'numbers', title: tip }, parts.join(' · '));
  }

  edit() {
    if (this.editor) return;
    const area = element('textarea', { class: 'editor-field', 'aria-label': word('editMessage'), rows: '1', value: this.message.content });
    const grow = () => {
      area.style.height = 'auto';
      area.style.height = `${area.scrollHeight}px`;
    };
    const close = () => {
      this.editor.remove();
      this.editor = null;
      this.node.classList.remove('editing');
      this.footState = null;
      this.draw();
      this.foot.querySelector('[data-action="edit"]')?.focus();
    };
    const send = () => {
      const text = area.value.trim();
      if (!text && !this.message.details.files?.length) return;
      close();
      this.thread.actions.edit(this.message, text);
    };
    area.addEventListener('input', grow);
    area.addEventListener('keydown', (event) => {
      if (isComposing(event)) return;
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      } else if (event.key === 'Enter' && !event.shiftKey && !isTouched.matches) {
        event.preventDefault();
        send();
      }
    });
    this.editor = element(
      'div', { class: 'editor' }, area, element('p', { class: 'hint' }, word('editHint')),
      element(
        'div', { class: 'buttons' }, element('button', { type: 'button', class: 'button', on: { click: close } }, word('cancel')),
        element('button', { type: 'button', class: 'button primary', on: { click: send } }, word('send'))));
    this.node.classList.add('editing');
    this.node.append(this.editor);
    area.focus();
    grow();
  }
}

/// Makes a button copy, and shows that it did.
function copyFlash(button, text) {
  button.addEventListener('click', async () => {
    const isCopied = await copyText(text());
    announce(word(isCopied ? 'copied' : 'copyFailed'));
    button.replaceChildren(icon(isCopied ? 'check' : 'warning'));
    setTimeout(() => button.replaceChildren(icon('copy')), 1500);
  });
  return button;
}

/// The thought before an answer: open while it is thought, then folded.
class ThoughtView {
  constructor() {
    this.caption = element('span', { class: 'thought-caption' });
    this.text = element('div', { class: 'text thought-text', dir: 'auto' });
    this.node = element('details', { class: 'thought', hidden: true }, element('summary', {}, icon('thought'), this.caption, icon('next')), this.text);
    this.wasThinking = false;
    this.follower = new Follower(this.text);
    this.node.firstElementChild.addEventListener('click', () => (this.isChosen = true));
    this.node.addEventListener('toggle', () => {
      if (this.node.open && this.message) showMarkdown(this.text, this.message.reasoning.trim());
    });
  }

  /// Whether somebody has opened or closed it, or is in the middle of it: then it stays as it is.
  get isRead() {
    return this.isChosen || !this.follower.isFollowing || this.text.contains(document.activeElement);
  }

  update(message, run) {
    this.message = message;
    this.node.hidden = !message.reasoning.trim();
    if (this.node.hidden) return;
    const isThinking = Boolean(run?.isThinking);
    this.node.classList.toggle('thinking', isThinking);
    if (isThinking && !this.wasThinking) this.node.open = true;
    if (!isThinking && this.wasThinking && !this.isRead) this.node.open = false;
    this.wasThinking = isThinking;
    if (this.node.open) showMarkdown(this.text, message.reasoning.trim());
    if (isThinking) {
      const before = message.details.thoughtSeconds ?? 0;
      this.caption.textContent = this.words('thinking', before + (performance.now() - run.thinkingSince) / 1000, run.thoughtTokens);
      this.follower.follow();
    } else {
      this.caption.textContent = this.words('thought', message.details.thoughtSeconds ?? 0, message.details.usage?.reasoning ?? 0);
    }
  }

  words(key, seconds, tokens) {
    return [word(key), duration(seconds), tokens ? word(tokens === 1 ? 'token' : 'tokens', { count: number(tokens) }) : null].filter(Boolean).join(' · ');
  }
}

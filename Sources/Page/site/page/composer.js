// Where messages are written: a field that grows, files, and what is on for the next answer.
import { announce, element, find, icon, iconButton, isComposing, isTouched } from './dom.js';
import { owner } from './outbox.js';
import { remember, remembered } from './preferences.js';
import { bytes, word } from './words.js';

const largestFile = 1_000_000;
const mostFiles = 10;
const pauseBeforeKeeping = 300;

/// New chats of a key have one draft together.
const newDraft = () => (owner() ? `draft.new.${owner()}` : 'draft.new');

/// The form at the bottom of the page.
export class Composer {
  /// - Parameter actions: `send(text, files)`, `stop()`.
  constructor(actions) {
    this.actions = actions;
    this.form = find('#composer');
    this.field = find('#prompt');
    this.button = find('#send');
    this.list = find('#attached');
    this.problem = find('#composer-problem');
    this.files = [];
    this.isAnswering = false;
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener('keydown', (event) => this.onKey(event));
    this.field.addEventListener('input', () => this.onInput());
    this.field.addEventListener('paste', (event) => this.addPasted(event));
    const input = find('#file-input');
    find('#attach').addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      this.addFiles([...input.files]);
      input.value = '';
    });
    this.acceptDrops();
    addEventListener('pagehide', () => this.keepDraft());
  }

  /// Takes up what was written for a chat before.
  open(chatId, isNew) {
    this.keepDraft();
    this.draftName = isNew ? newDraft() : `draft.${chatId}`;
    const draft = remembered(this.draftName);
    this.field.value = draft?.text ?? '';
    this.files = draft?.files ?? [];
    this.tell('');
    this.drawFiles();
    this.grow();
    this.update(this.isAnswering);
  }

  /// What is written from now on belongs to this chat.
  settle(chatId) {
    this.rename(`draft.${chatId}`);
  }

  rename(name) {
    remember(this.draftName, null);
    this.draftName = name;
  }

  /// The chat is gone; what is being written for it is for the next one.
  leaveChat() {
    const isEmpty = !this.field.value && this.files.length === 0;
    if (!isEmpty) this.rename(newDraft());
    else this.draftName = null;
  }

  /// Puts a text into the field, as a suggestion.
  fill(text) {
    this.field.value = text;
    this.onInput();
    this.field.focus();
  }

  focus() {
    this.field.focus();
  }

  keepDraft() {
    clearTimeout(this.timer);
    if (!this.draftName) return;
    const isEmpty = !this.field.value && this.files.length === 0;
    remember(this.draftName, isEmpty ? null : { text: this.field.value, files: this.files });
  }

  onInput() {
    this.grow();
    this.update(this.isAnswering);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keepDraft(), pauseBeforeKeeping);
  }

  grow() {
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(this.field.scrollHeight, innerHeight * 0.4)}px`;
  }

  onKey(event) {
    // On a phone there is no other key for a new line.
    if (event.key !== 'Enter' || event.shiftKey || isComposing(event) || isTouched.matches) return;
    event.preventDefault();
    if (!this.isAnswering) this.submit();
  }

  submit() {
    if (this.isAnswering) {
      this.actions.stop();
      return;
    }
    const text = this.field.value.trim();
    if (!text && this.files.length === 0) return;
    const files = this.files;
    if (!this.actions.send(text, files)) return;
    this.field.value = '';
    this.files = [];
    this.tell('');
    this.drawFiles();
    this.grow();
    this.keepDraft();
    this.update(this.isAnswering);
  }

  /// The button sends, or stops an answer.
  update(isAnswering) {
    this.isAnswering = isAnswering;
    const label = word(isAnswering ? 'stop' : 'send');
    if (this.button.dataset.shows !== label) {
      this.button.replaceChildren(icon(isAnswering ? 'stop' : 'send'));
      this.button.dataset.shows = label;
      this.button.setAttribute('aria-label', label);
      this.button.title = label;
    }
    this.button.classList.toggle('stops', isAnswering);
    this.button.disabled = !isAnswering && !this.field.value.trim() && this.files.length === 0;
  }

  tell(text) {
    this.problem.textContent = text;
    this.problem.hidden = text === '';
    this.list.hidden = this.files.length === 0;
  }

  async addFiles(files) {
    const problems = [];
    for (const file of files) {
      const problem = await this.addFile(file);
      if (problem) problems.push(problem);
    }
    this.drawFiles();
    this.tell(problems.join(' '));
    this.onInput();
  }

  /// - Returns: why a file cannot be attached.
  async addFile(file) {
    if (this.files.length >= mostFiles) return word('tooManyFiles', { name: file.name, count: mostFiles });
    if (file.size > largestFile) return word('fileTooLarge', { name: file.name, size: bytes(largestFile) });
    let text;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      return word('fileIsNoText', { name: file.name });
    }
    if (text.includes('\0')) return word('fileIsNoText', { name: file.name });
    this.files.push({ name: file.name, text });
    announce(word('fileAdded', { name: file.name }));
    return null;
  }

  addPasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.addFiles(files);
  }

  acceptDrops() {
    const carriesFiles = (event) => event.dataTransfer?.types.includes('Files');
    const zone = find('main');
    let depth = 0;
    const mark = () => zone.classList.toggle('dropping', depth > 0);
    zone.addEventListener('dragenter', (event) => {
      if (!carriesFiles(event)) return;
      depth += 1;
      mark();
    });
    zone.addEventListener('dragleave', (event) => {
      if (!carriesFiles(event)) return;
      depth = Math.max(0, depth - 1);
      mark();
    });
    // Without this the browser would leave the page and open the file.
    for (const name of ['dragover', 'drop']) addEventListener(name, (event) => carriesFiles(event) && event.preventDefault());
    zone.addEventListener('drop', (event) => {
      depth = 0;
      mark();
      if (carriesFiles(event)) this.addFiles([...event.dataTransfer.files]);
    });
  }

  drawFiles() {
    this.list.hidden = this.files.length === 0;
    this.list.replaceChildren(...this.files.map((file, index) => element(
      'li', { class: 'file' }, icon('file'), element('span', {}, file.name),
      iconButton('close', word('removeFile', { name: file.name }), () => {
        this.files.splice(index, 1);
        this.drawFiles();
        this.onInput();
        this.focus();
      }))));
  }
}

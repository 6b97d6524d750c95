// Questions in front of the page. <dialog> keeps the focus inside and gives it back.
import { element, find, isTouched, newId } from './dom.js';
import { word } from './words.js';

/// Shows a dialog and waits until it is closed.
/// - Parameter fill: gets the dialog and a function that closes it with a result; returns the content.
/// - Returns: the result; null when it was dismissed.
export function ask(title, fill, { isWide = false } = {}) {
  return new Promise((resolve) => {
    const id = `dialog-${newId()}`;
    let result = null;
    const dialog = element('dialog', { class: isWide ? 'wide' : null, 'aria-labelledby': id });
    const close = (value) => {
      result = value;
      dialog.close();
    };
    dialog.append(element('h2', { id }, title), ...fill(close, dialog));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
    let isChanged = false;
    dialog.addEventListener('input', () => (isChanged = true));
    // A click beside it, unless something was written that would be lost.
    dialog.addEventListener('mousedown', (event) => {
      if (event.target !== dialog || isChanged) return;
      const box = dialog.getBoundingClientRect();
      const isInside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!isInside) close(null);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector('[autofocus]')?.focus();
  });
}

export function buttons(...children) {
  return element('div', { class: 'buttons' }, children);
}

/// Asks whether to do what cannot be undone.
export async function confirm(title, text, action) {
  return Boolean(await ask(title, (close) => [
    element('p', {}, text),
    buttons(
      element('button', { type: 'button', class: 'button', on: { click: () => close(false) }, autofocus: true }, word('cancel')),
      element('button', { type: 'button', class: 'button danger', on: { click: () => close(true) } }, action)),
  ]));
}

/// Asks for a line of text.
/// - Returns: the text without blanks around it; null when nothing was given.
export async function askText(title, label, value) {
  const text = await ask(title, (close) => {
    const field = element('input', { class: 'field', value, maxlength: '200', 'aria-label': label, autofocus: true });
    const form = element(
      'form', {}, field,
      buttons(
        element('button', { type: 'button', class: 'button', on: { click: () => close(null) } }, word('cancel')),
        element('button', { class: 'button primary' }, word('save'))));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      close(field.value);
    });
    queueMicrotask(() => field.select());
    return [form];
  });
  return text?.trim() || null;
}

/// Asks for a key.
/// - Parameter isWrong: the server did not take the last one.
/// - Returns: `{ key, isKept }`, or null.
export function askKey(isWrong) {
  return ask(word('keyTitle'), (close) => {
    const field = element('input', {
      class: 'field', type: 'password', autocomplete: 'current-password', spellcheck: 'false', 'aria-label': word('key'), required: true, autofocus: true,
    });
    const keep = element('input', { type: 'checkbox' });
    const form = element(
      'form', {}, element('p', {}, word(isWrong ? 'keyWrong' : 'keyWanted')), field,
      element('label', { class: 'check' }, keep, element('span', {}, word('keepKey'))),
      buttons(
        element('button', { type: 'button', class: 'button', on: { click: () => close(null) } }, word('cancel')),
        element('button', { class: 'button primary' }, word('useKey'))));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const key = field.value.trim();
      if (key) close({ key, isKept: keep.checked });
    });
    return [form];
  });
}

let problem = { text: '', label: '', retry: null };

/// Says what is wrong above the field, with a button that does something about it. The same is not said again.
export function showProblem(text, retry, label = word('tryAgain')) {
  const isSame = text === problem.text && label === problem.label;
  problem = { text, label, retry };
  if (isSame) return;
  const bar = find('#problem');
  bar.hidden = text === '';
  bar.replaceChildren();
  if (!text) return;
  const button = element('button', { type: 'button', class: 'button small', on: { click: () => {
    const { retry } = problem;
    showProblem('');
    retry();
    if (document.activeElement === document.body && !isTouched.matches) find('#prompt').focus();
  } } }, label);
  bar.append(element('span', {}, text), button);
}

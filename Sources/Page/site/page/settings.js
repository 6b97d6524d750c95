// What a chat asks of the model, in a dialog; new chats begin with what was chosen last.
import { ask, askKey, buttons } from './dialogs.js';
import { element } from './dom.js';
import { canThink } from './models.js';
import { remember, remembered } from './preferences.js';
import { key, setKey } from './server.js';
import { number, word } from './words.js';

const name = 'settings';

/// `model`, `system`, `temperature`, `thinking` (`off`, a number of tokens, `max`), `maxTokens`, `json`; what is not there is the model's own.
export const defaultSettings = () => ({ ...remembered(name) });

export const rememberSettings = (settings) => remember(name, settings);

/// What differs from the model's own ways, in a few words.
export function settingsSummary(settings) {
  const parts = [];
  if (settings.system?.trim()) parts.push(word('system'));
  if (typeof settings.temperature === 'number') parts.push(`${word('temperature')} ${number(settings.temperature)}`);
  if (settings.thinking && canThink(settings.model)) parts.push(`${word('thinkingBudget')}: ${thinkingWord(settings.thinking)}`);
  if (settings.maxTokens) parts.push(word('atMostTokens', { count: number(settings.maxTokens) }));
  return parts.join(' · ');
}

const budgets = ['', 'off', '256', '1024', '8192', 'max'];

const thinkingWord = (value) => {
  switch (value) {
    case '': return word('modelsOwn');
    case 'off': return word('thinkingOff');
    case 'max': return word('thinkingMax');
    default: return word('tokens', { count: number(Number(value)) });
  }
};

function labelled(text, hint, ...controls) {
  return element('label', { class: 'setting' }, element('span', { class: 'setting-name' }, text), hint ? element('span', { class: 'hint' }, hint) : null, controls);
}

/// Lets the settings of a chat be changed.
/// - Parameter onKey: called with a function that has another key used; the chat is that of the earlier one.
/// - Returns: the new ones, or null.
export function askSettings(settings, { onKey }) {
  return ask(word('settings'), (close) => {
    const system = element('textarea', { class: 'field', rows: '4', value: settings.system ?? '', 'data-setting': 'system' });
    const temperature = temperatureControl(settings.temperature);
    const thinking = canThink(settings.model) ? thinkingControl(settings.thinking) : null;
    const maxTokens = element('input', {
      class: 'field', type: 'number', min: '1', max: '1000000', step: '1', value: settings.maxTokens ?? '', placeholder: word('modelsOwn'), inputmode: 'numeric',
      'data-setting': 'maxTokens',
    });
    const json = element('input', { type: 'checkbox', checked: Boolean(settings.json), 'data-setting': 'json' });
    const form = element(
      'form', {}, labelled(word('system'), word('systemHint'), system), temperature.node,
      thinking && labelled(word('thinkingBudget'), word('thinkingHint'), thinking), labelled(word('maxTokens'), null, maxTokens),
      element('label', { class: 'check' }, json, element('span', {}, element('strong', {}, word('json')), element('span', { class: 'hint' }, word('jsonHint')))),
      keySetting((change) => {
        close(null);
        onKey(change);
      }), shortcuts(),
      buttons(
        element('button', { type: 'button', class: 'button', on: { click: () => close(null) } }, word('cancel')),
        element('button', { class: 'button primary' }, word('save'))));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      close({
        ...settings, system: system.value.trim() || undefined, temperature: temperature.value(),
        // For a model that cannot think it stays what it is for others.
        thinking: thinking ? thinking.value || undefined : settings.thinking,
        maxTokens: Number.parseInt(maxTokens.value, 10) || undefined, json: json.checked || undefined,
      });
    });
    return [form];
  }, { isWide: true });
}

function thinkingControl(value) {
  const option = (budget) => element('option', { value: budget, selected: budget === (value ?? '') }, thinkingWord(budget));
  return element('select', { class: 'field', 'data-setting': 'thinking' }, budgets.map(option));
}

/// A slider that begins to count when it is touched.
function temperatureControl(value) {
  let chosen = typeof value === 'number' ? value : null;
  const slider = element('input', {
    type: 'range', min: '0', max: '2', step: '0.1', value: String(chosen ?? 0.6), 'aria-label': word('temperature'), 'data-setting': 'temperature',
  });
  const output = element('output', {});
  const own = element('button', { type: 'button', class: 'button small' }, word('modelsOwn'));
  const show = () => {
    const text = chosen === null ? word('modelsOwn') : number(chosen, { minimumFractionDigits: 1 });
    output.textContent = text;
    slider.setAttribute('aria-valuetext', text);
    slider.classList.toggle('unset', chosen === null);
    own.disabled = chosen === null;
  };
  slider.addEventListener('input', () => {
    chosen = Number(slider.value);
    show();
  });
  own.addEventListener('click', () => {
    chosen = null;
    show();
    slider.focus();
  });
  show();
  const node = element(
    'div', { class: 'setting' }, element('span', { class: 'setting-name' }, word('temperature'), ' ', output),
    element('span', { class: 'hint' }, word('temperatureHint')), element('div', { class: 'slider' }, slider, own));
  return { node, value: () => chosen ?? undefined };
}

/// - Parameter use: called with a function that has another key used.
function keySetting(use) {
  const change = async () => {
    const given = await askKey(false);
    if (given) use(() => setKey(given.key, given.isKept));
  };
  const button = (text, action) => element('button', { type: 'button', class: 'button small', on: { click: action } }, word(text));
  const row = element('div', { class: 'key-row' }, element('span', { class: 'hint' }, word(key() ? 'keySet' : 'keyNone')), button(key() ? 'changeKey' : 'enterKey', change));
  if (key()) row.append(button('forgetKey', () => use(() => setKey(null, false))));
  return element('div', { class: 'setting' }, element('span', { class: 'setting-name' }, word('key')), row);
}

function shortcuts() {
  const list = [
    ['Enter', 'shortcutSend'], ['Shift Enter', 'shortcutLine'], ['Esc', 'shortcutStop'], ['Ctrl Shift O', 'newChat'], ['Ctrl K', 'searchChats'],
    ['Ctrl ,', 'settings'],
  ];
  const row = ([keys, meaning]) => [
    element('dt', {}, keys.split(' ').map((name) => element('kbd', {}, name))), element('dd', {}, word(meaning)),
  ];
  return element('details', { class: 'shortcuts' }, element('summary', {}, word('shortcuts')), element('dl', {}, list.flatMap(row)));
}

// The page's words in the language of its user.
import { languages } from './languages.js';
import { remember } from './preferences.js';

const observers = new Set();

/// A tag of `languages`; `start.js` chose it from what the browser prefers.
export const language = () => (languages[document.documentElement.lang] ? document.documentElement.lang : 'en');

/// A text with `{name}` replaced by values.
export function word(key, values = {}) {
  const text = languages[language()].words[key] ?? languages.en.words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function chooseLanguage(tag) {
  document.documentElement.lang = tag;
  remember('language', tag);
  translate(document);
  for (const observer of observers) observer();
}

/// Calls `observer` when another language was chosen.
export const onLanguage = (observer) => observers.add(observer);

/// Fills in the words of nodes that name them: `data-word` for the text, `data-label` for the name that is shown as a tip and read out,
/// `data-placeholder` for what stands in an empty field.
export function translate(root) {
  for (const node of root.querySelectorAll('[data-word]')) node.textContent = word(node.dataset.word);
  for (const node of root.querySelectorAll('[data-label]')) {
    const text = word(node.dataset.label);
    node.setAttribute('aria-label', text);
    if (node.matches('button, a')) node.title = text;
  }
  for (const node of root.querySelectorAll('[data-placeholder]')) node.placeholder = word(node.dataset.placeholder);
}

const formats = new Map();

/// A number as people of this language write it.
export function number(value, options = {}) {
  const key = language() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(language(), options));
  return formats.get(key).format(value);
}

/// Seconds as `3.2 s` or `2 min 5 s`.
export function duration(seconds) {
  if (seconds < 60) {
    const digits = seconds < 10 ? 1 : 0;
    return word('seconds', { count: number(seconds, { minimumFractionDigits: digits, maximumFractionDigits: digits }) });
  }
  return word('minutes', { minutes: number(Math.floor(seconds / 60)), seconds: number(Math.floor(seconds % 60)) });
}

/// - Parameter dollars: small ones keep enough digits to be seen.
export function price(dollars, currency = 'USD') {
  const digits = dollars > 0 && dollars < 1 ? Math.min(9, 1 - Math.floor(Math.log10(dollars))) : 2;
  return number(dollars, { style: 'currency', currency, minimumFractionDigits: 2, maximumFractionDigits: Math.max(2, digits) });
}

/// Bytes in units of 1000.
export function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

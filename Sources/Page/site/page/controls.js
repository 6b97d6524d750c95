// What both pages have: the choice of language and theme, and the question for a key.
import { askKey } from './dialogs.js';
import { drawIcons, element, find } from './dom.js';
import { languages } from './languages.js';
import { applyTheme, chooseTheme, theme } from './preferences.js';
import { onKeyWanted, setKey } from './server.js';
import { chooseLanguage, language, onLanguage, translate, word } from './words.js';

function drawTheme() {
  const label = `${word('theme')}: ${word(`theme-${theme()}`)}`;
  find('#theme').setAttribute('aria-label', label);
  find('#theme').title = label;
}

/// Fills in words and pictures, and has the controls work.
export function startControls() {
  translate(document);
  drawIcons();
  applyTheme();
  drawTheme();
  onLanguage(drawTheme);
  find('#language').append(...Object.entries(languages).map(([tag, { name }]) => element('option', { value: tag, lang: tag }, name)));
  find('#language').value = language();
  find('#language').addEventListener('change', (event) => chooseLanguage(event.target.value));
  find('#theme').addEventListener('click', () => {
    chooseTheme({ system: 'light', light: 'dark', dark: 'system' }[theme()]);
    drawTheme();
  });
  onKeyWanted(async (isWrong) => {
    const given = await askKey(isWrong);
    if (!given) return false;
    setKey(given.key, given.isKept);
    return true;
  });
}

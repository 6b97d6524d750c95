// What an empty chat suggests.
import { element, find } from './dom.js';
import { word } from './words.js';

const starters = ['starterExplain', 'starterCode', 'starterTable', 'starterIdeas'];

/// - Parameter choose: called with the text of the one that was chosen.
export function drawStarters(choose) {
  find('#starters').replaceChildren(...starters.map((name) => element(
    'button', { type: 'button', class: 'starter', on: { click: () => choose(word(`${name}Prompt`)) } },
    element('strong', {}, word(name)), element('span', {}, word(`${name}Prompt`)))));
}

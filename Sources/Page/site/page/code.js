// Code with its language, a button that copies it, and simple colours.
import { announce, copyText, element, icon } from './dom.js';
import { word } from './words.js';

const words = (text) => new Set(text.split(' '));
const braces =
  'abstract as async await break case catch class const continue default delete do else enum export extends false final finally for from ' +
  'function if implements import in instanceof interface let new null package private protected public return static super switch this throw ' +
  'throws true try type typeof undefined var void while with yield';
const families = {
  braces: {
    comment: '\\/\\/[^\\n]*|\\/\\*[^]*?(?:\\*\\/|$)',
    keywords: words(
      `${braces} actor auto bool boolean byte char chan constexpr crate defer double dyn extension extern fallthrough float fn func go guard impl ` +
        'inout init int internal is lazy long loop map match mod move mut namespace nil nullptr nonisolated operator override pub range ref repeat ' +
        'rethrows self Self short signed sizeof some struct template trait typedef union unsafe unsigned use using val virtual volatile where fun when'),
  },
  python: {
    comment: '#[^\\n]*', string: '"""[^]*?(?:"""|$)|\'\'\'[^]*?(?:\'\'\'|$)',
    keywords: words(
      'and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None ' +
        'nonlocal not or pass raise return self True try while with yield begin do end elsif module nil require rescue then unless until'),
  },
  shell: {
    comment: '#[^\\n]*',
    keywords: words('case cd do done echo elif else esac exit export fi for function if in local return set source then until while true false'),
  },
  sql: {
    comment: '--[^\\n]*|\\/\\*[^]*?(?:\\*\\/|$)', isCaseless: true,
    keywords: words(
      'add all alter and as asc between by case check column constraint create cross default delete desc distinct drop else end exists foreign from ' +
        'full group having if in index inner insert into is join key left like limit not null offset on or order outer primary references right ' +
        'select set table then union unique update values view when where with'),
  },
  data: { comment: '#[^\\n]*|\\/\\/[^\\n]*', keywords: words('true false null yes no') },
  markup: { comment: '<!--[^]*?(?:-->|$)', keywords: new Set(), isMarkup: true },
  styles: { comment: '\\/\\*[^]*?(?:\\*\\/|$)', keywords: words('important media import from to and not only supports') },
};
const names = {
  python: 'python py python3 ruby rb', shell: 'bash sh shell zsh console fish powershell', sql: 'sql sqlite mysql postgresql',
  data: 'json jsonc yaml yml toml ini', markup: 'html xml svg', styles: 'css scss less',
  braces: 'c cpp c++ cc h hpp cs csharp c# dart go golang java javascript js jsx kotlin kt mjs objective-c php rust rs scala swift ts tsx typescript',
};
const familyOf = new Map(Object.entries(names).flatMap(([family, list]) => list.split(' ').map((name) => [name, family])));
const string = '"(?:\\\\[^]|[^"\\\\\\n])*"?|\'(?:\\\\[^]|[^\'\\\\\\n])*\'?|`(?:\\\\[^]|[^`\\\\])*`?';
const numbers = '\\b(?:0[xX][\\da-fA-F_]+|0[bB][01_]+|\\d[\\d_]*(?:\\.\\d[\\d_]*)?(?:[eE][+-]?\\d+)?)\\b';
const longest = 30_000;

/// Text and coloured spans.
export function highlighted(code, language) {
  const family = families[familyOf.get(language.toLowerCase())];
  if (!family || code.length > longest) return [code];
  const strings = family.string ? `${family.string}|${string}` : string;
  const tags = family.isMarkup ? '|(<\\/?[\\w:-]+|\\/?>)' : '|([A-Za-z_$][\\w$]*)';
  const pattern = new RegExp(`(${family.comment})|(${strings})|(${numbers})${tags}`, 'g');
  const pieces = [];
  let end = 0;
  const add = (kind, text) => pieces.push(kind ? element('span', { class: `code-${kind}` }, text) : text);
  for (const match of code.matchAll(pattern)) {
    if (match.index > end) add(null, code.slice(end, match.index));
    const [text, comment, quoted, digits, name] = match;
    if (comment) add('comment', text);
    else if (quoted) add(isKey(code, match) && family === families.data ? 'name' : 'string', text);
    else if (digits) add('number', text);
    else if (family.isMarkup) add('keyword', text);
    else if (family.keywords.has(family.isCaseless ? name.toLowerCase() : name)) add('keyword', text);
    else add(code[match.index + text.length] === '(' ? 'name' : null, text);
    end = match.index + text.length;
  }
  if (end < code.length) add(null, code.slice(end));
  return pieces;
}

const isKey = (code, match) => /^\s*:/.test(code.slice(match.index + match[0].length, match.index + match[0].length + 20));

/// A button that copies what `text` returns, and says so.
export function copyButton(text, label = word('copy')) {
  const caption = element('span', {}, label);
  const button = element('button', { type: 'button', class: 'copy-button' }, icon('copy'), caption);
  button.addEventListener('click', async () => {
    const isCopied = await copyText(text());
    caption.textContent = word(isCopied ? 'copied' : 'copyFailed');
    announce(caption.textContent);
    setTimeout(() => (caption.textContent = label), 2000);
  });
  return button;
}

export function codeBlock(text, language) {
  const name = language.slice(0, 30);
  const code = element('code', {}, highlighted(text, name));
  // Code that is still being written grows after the button was made.
  return element(
    'figure', { class: 'code-block' }, element('figcaption', {}, element('span', {}, name || word('code')), copyButton(() => code.textContent)),
    element('pre', { tabindex: '0', dir: 'ltr' }, code));
}

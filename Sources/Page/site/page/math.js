// TeX's mathematics as MathML: the part that models write. What is not understood is shown as it was written.
import { element } from './dom.js';
import {
  accents, alphabets, blanks, functions, integrals, largeOperators, letters, limits, matrices, operators, underlines,
} from './math-symbols.js';

const namespace = 'http://www.w3.org/1998/Math/MathML';
const longest = 10_000;
const deepest = 60;

function node(tag, attributes = {}, ...children) {
  const made = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/// A formula.
/// - Parameter isBlock: on a line of its own.
export function mathNode(source, isBlock) {
  const text = source.trim();
  try {
    if (text.length > longest) throw new SyntaxError('too long');
    const parser = new Parser(text);
    const rows = parser.row(() => false);
    if (parser.at < parser.tokens.length) throw new SyntaxError('unbalanced');
    const math = node('math', { display: isBlock ? 'block' : 'inline' }, rows);
    // What screen readers without MathML say.
    math.setAttribute('aria-label', text);
    return math;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return element('code', { class: 'math-source' }, text);
  }
}

const tokenPattern = /\\(?:[A-Za-z]+|[^])|\s+|[0-9]+(?:[.,][0-9]+)*|[^]/gu;

class Parser {
  constructor(text) {
    this.tokens = text.match(tokenPattern) ?? [];
    this.at = 0;
    this.depth = 0;
  }

  get token() {
    return this.tokens[this.at];
  }

  skipBlanks() {
    while (this.token !== undefined && /^\s+$/.test(this.token)) this.at += 1;
  }

  next() {
    this.skipBlanks();
    if (this.token === undefined) throw new SyntaxError('the end');
    return this.tokens[this.at++];
  }

  /// Everything until `isEnd` says so of a token, which is left there, or the formula ends.
  row(isEnd) {
    this.depth += 1;
    if (this.depth > deepest) throw new SyntaxError('too deep');
    const parts = [];
    for (;;) {
      this.skipBlanks();
      if (this.token === undefined || this.token === '}' || isEnd(this.token)) break;
      const part = this.scripted();
      if (part) parts.push(part);
    }
    this.depth -= 1;
    return parts.length === 1 ? parts[0] : node('mrow', {}, ...parts);
  }

  group() {
    const row = this.row(() => false);
    if (this.next() !== '}') throw new SyntaxError('unbalanced');
    return row;
  }

  /// What a command or a script applies to: a group or a single thing.
  argument() {
    const token = this.next();
    if (token === '{') return this.group();
    // A number's first digit, as in \frac12.
    if (/^\d{2,}/.test(token)) {
      this.tokens.splice(this.at, 0, token.slice(1));
      return node('mn', {}, token[0]);
    }
    return this.atom(token) ?? node('mrow');
  }

  /// The characters of a group, as \text and \operatorname take them.
  rawArgument() {
    if (this.next() !== '{') throw new SyntaxError('a group');
    let text = '';
    for (let level = 1; ; this.at += 1) {
      if (this.token === undefined) throw new SyntaxError('unbalanced');
      if (this.token === '{') level += 1;
      if (this.token === '}') level -= 1;
      if (level === 0) break;
      text += this.token;
    }
    this.at += 1;
    return text;
  }

  optionalArgument() {
    this.skipBlanks();
    if (this.token !== '[') return null;
    this.at += 1;
    const row = this.row((token) => token === ']');
    if (this.next() !== ']') throw new SyntaxError('unbalanced');
    return row;
  }

  /// A thing with what stands above and below it.
  scripted() {
    const base = this.atom(this.next());
    let below = null;
    let above = null;
    for (;;) {
      this.skipBlanks();
      if (this.token === '_' && !below) {
        this.at += 1;
        below = this.argument();
      } else if (this.token === '^' && !above) {
        this.at += 1;
        above = this.argument();
      } else if (this.token === "'") {
        let primes = '';
        while (this.token === "'") {
          primes += '′';
          this.at += 1;
        }
        const mark = node('mo', {}, primes);
        above = above ? node('mrow', {}, mark, above) : mark;
      } else if (this.token === '\\limits' || this.token === '\\nolimits') {
        this.at += 1;
      } else {
        break;
      }
    }
    if (!below && !above) return base;
    const core = base ?? node('mrow');
    const stacked = core.hasAttribute('movablelimits') || core.localName === 'munder' || core.localName === 'mover';
    if (below && above) return node(stacked ? 'munderover' : 'msubsup', {}, core, below, above);
    if (below) return node(stacked ? 'munder' : 'msub', {}, core, below);
    return node(stacked ? 'mover' : 'msup', {}, core, above);
  }

  atom(token) {
    if (token === '{') return this.group();
    if (token === '}' || token === '&' || token === '^' || token === '_' || token === '#' || token === '%') throw new SyntaxError(token);
    if (token.startsWith('\\')) return this.command(token.slice(1));
    if (/^\d/.test(token)) return node('mn', {}, token);
    if (/^\p{L}$/u.test(token)) return /[a-zA-Z\u0370-\u03ff]/.test(token) ? node('mi', {}, token) : node('mtext', {}, token);
    if (token === '~') return node('mspace', { width: '0.25em' });
    return node('mo', '()[]|'.includes(token) ? { stretchy: 'false' } : {}, { '-': '−', '*': '∗' }[token] ?? token);
  }

  command(name) {
    if (letters[name]) return node('mi', /^[A-Z]/.test(name) ? { mathvariant: 'normal' } : {}, letters[name]);
    if (largeOperators[name]) return node('mo', { movablelimits: 'true', largeop: 'true' }, largeOperators[name]);
    if (integrals[name]) return node('mo', { largeop: 'true' }, integrals[name]);
    if (operators[name]) return node('mo', /[⟨⟩⌈⌉⌊⌋|‖{}[\]]/.test(operators[name]) ? { stretchy: 'false' } : {}, operators[name]);
    if (functions.has(name)) return node('mi', {}, name);
    if (limits.has(name)) {
      const text = name.replace('arg', 'arg ').replace('liminf', 'lim inf').replace('limsup', 'lim sup');
      return node('mo', { movablelimits: 'true', lspace: '0', rspace: '0.17em' }, text.trim());
    }
    if (Object.hasOwn(blanks, name)) return node('mspace', { width: `${blanks[name]}em` });
    if (accents[name]) {
      const stretches = /^(?:wide|over)/.test(name);
      return node('mover', { accent: 'true' }, this.argument(), node('mo', { stretchy: String(stretches) }, accents[name]));
    }
    if (underlines[name]) return node('munder', {}, this.argument(), node('mo', { stretchy: 'true' }, underlines[name]));
    if (alphabets[name]) return this.alphabet(alphabets[name]);
    return this.construct(name);
  }

  construct(name) {
    switch (name) {
      case 'frac':
      case 'dfrac':
      case 'tfrac':
      case 'cfrac': return node('mfrac', name === 'dfrac' ? { displaystyle: 'true' } : {}, this.argument(), this.argument());
      case 'binom':
      case 'dbinom':
      case 'tbinom':
        return node(
          'mrow', {}, node('mo', {}, '('), node('mfrac', { linethickness: '0' }, this.argument(), this.argument()), node('mo', {}, ')'));
      case 'sqrt': {
        const degree = this.optionalArgument();
        return degree ? node('mroot', {}, this.argument(), degree) : node('msqrt', {}, this.argument());
      }
      case 'left': return this.fenced();
      case 'text':
      case 'textrm':
      case 'textit':
      case 'textbf':
      case 'mbox':
      case 'textsf':
      case 'texttt': {
        const text = this.rawArgument().replace(/\\([%$&#_{} ])/g, '$1').replace(/^ | $/g, '\u00a0');
        return node('mtext', name === 'textbf' ? { class: 'bold' } : {}, text);
      }
      case 'mathrm':
      case 'mathit':
      case 'mathnormal':
      case 'rm': {
        this.skipBlanks();
        if (this.token !== '{') return node('mrow');
        const start = this.at;
        const text = this.rawArgument();
        if (/^[\w\s]+$/.test(text)) return node('mi', { mathvariant: 'normal' }, text);
        this.at = start;
        return this.argument();
      }
      case 'operatorname': {
        if (this.token === '*') this.at += 1;
        return node('mo', { lspace: '0', rspace: '0.17em', form: 'prefix' }, this.rawArgument());
      }
      case 'boxed':
      case 'fbox': return node('mrow', { class: 'boxed' }, this.argument());
      case 'overset':
      case 'stackrel': {
        const above = this.argument();
        return node('mover', {}, this.argument(), above);
      }
      case 'underset': {
        const below = this.argument();
        return node('munder', {}, this.argument(), below);
      }
      case 'pmod': return node('mrow', {}, node('mspace', { width: '0.5em' }), node('mo', {}, '('), node('mi', {}, 'mod'), this.argument(), node('mo', {}, ')'));
      case 'bmod':
      case 'mod': return node('mo', { lspace: '0.25em', rspace: '0.25em' }, 'mod');
      case 'not': return node('mo', {}, `${this.argument().textContent}\u0338`);
      case 'phantom': return node('mphantom', {}, this.argument());
      case 'color':
      case 'textcolor':
        this.rawArgument();
        return name === 'color' ? node('mrow') : this.argument();
      case 'tag': return node('mtext', {}, `\u2003(${this.rawArgument()})`);
      case 'label':
        this.rawArgument();
        return null;
      case 'big':
      case 'Big':
      case 'bigl':
      case 'bigr':
      case 'Bigl':
      case 'Bigr':
      case 'bigg':
      case 'biggl':
      case 'biggr':
      case 'Bigg':
      case 'Biggl':
      case 'Biggr': return node('mo', { minsize: /^B/.test(name) ? '1.8em' : '1.3em', maxsize: '3em' }, this.delimiter());
      case 'begin': return this.environment();
      case 'displaystyle':
      case 'textstyle':
      case 'scriptstyle':
      case 'nonumber':
      case 'notag':
      case 'hline': return null;
      case '\\': return node('mspace', { linebreak: 'newline' });
      case '|': return node('mo', { stretchy: 'false' }, '‖');
      case '{':
      case '}': return node('mo', { stretchy: 'false' }, name);
      case '%':
      case '$':
      case '&':
      case '#':
      case '_': return node('mi', {}, name);
      default: throw new SyntaxError(name);
    }
  }

  alphabet({ but, ...starts }) {
    this.skipBlanks();
    const start = this.at;
    const text = this.token === '{' ? this.rawArgument() : this.next();
    if (!/^[A-Za-z0-9\s]+$/.test(text)) {
      this.at = start;
      return this.argument();
    }
    const characters = Array.from(text, (character) => {
      const first = /[A-Z]/.test(character) ? 'A' : /[a-z]/.test(character) ? 'a' : '0';
      if (but[character]) return but[character];
      if (!starts[first] || character === ' ') return character;
      return String.fromCodePoint(starts[first] + character.codePointAt(0) - first.codePointAt(0));
    });
    return node('mi', {}, characters.join(''));
  }

  /// The delimiter behind \left and the like; the empty text for `.`.
  delimiter() {
    const token = this.next();
    if (token === '.') return '';
    if (token === '\\{' || token === '\\}') return token.slice(1);
    if (token === '\\|') return '‖';
    if (token.startsWith('\\')) {
      const sign = operators[token.slice(1)];
      if (!sign) throw new SyntaxError(token);
      return sign;
    }
    return { '<': '⟨', '>': '⟩' }[token] ?? token;
  }

  fenced() {
    const open = this.delimiter();
    const parts = [];
    for (;;) {
      parts.push(this.row((token) => token === '\\right' || token === '\\middle'));
      const end = this.next();
      if (end === '\\right') break;
      if (end !== '\\middle') throw new SyntaxError('unbalanced');
      parts.push(node('mo', { stretchy: 'true' }, this.delimiter()));
    }
    const close = this.delimiter();
    const fence = (sign, form) => node('mo', { fence: 'true', stretchy: 'true', form }, sign);
    return node('mrow', {}, ...(open ? [fence(open, 'prefix')] : []), ...parts, ...(close ? [fence(close, 'postfix')] : []));
  }

  environment() {
    const name = this.rawArgument().replace('*', '');
    const around = matrices[name];
    if (!around) throw new SyntaxError(name);
    if (name === 'array') this.rawArgument();
    const rows = [[]];
    for (;;) {
      rows.at(-1).push(this.row((token) => token === '&' || token === '\\\\' || token === '\\end'));
      const end = this.next();
      if (end === '\\end') break;
      if (end === '\\\\') rows.push([]);
      else if (end !== '&') throw new SyntaxError(end);
    }
    if (this.rawArgument().replace('*', '') !== name) throw new SyntaxError('unbalanced');
    // A line end before the end makes no row.
    const last = rows.at(-1);
    if (rows.length > 1 && last.length === 1 && last[0].childNodes.length === 0) rows.pop();
    const isAligned = /^(?:align|split)/.test(name);
    const cells = (row) => row.map((cell, index) =>
      node('mtd', { class: isAligned ? (index % 2 ? 'math-start' : 'math-end') : name === 'cases' ? 'math-case' : '' }, cell));
    const table = node(
      'mtable', isAligned || /^gather/.test(name) ? { displaystyle: 'true' } : {}, ...rows.map((row) => node('mtr', {}, ...cells(row))));
    const sign = (text) => (text ? [node('mo', { fence: 'true', stretchy: 'true' }, text)] : []);
    return node('mrow', {}, ...sign(around[0]), table, ...sign(around[1]));
  }
}

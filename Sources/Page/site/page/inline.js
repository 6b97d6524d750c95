// Markdown inside a line: emphasis, code, links, mathematics. Every piece becomes a node; nothing is parsed as HTML.
import { element } from './dom.js';
import { mathNode } from './math.js';

const deepest = 20;
const marks = { '*': ['em', 'strong'], _: ['em', 'strong'], '~': [null, 'del'] };
const closed = { '<': /<((?:https?:\/\/|mailto:)[^<>\s]{1,2000})>/y };
const bare = /https?:\/\/[^\s<>"'`|\\^{}]+/y;
const entities = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0', '#39': "'" };

/// The address of a link, when it is one that a click may follow; else null.
export function safeAddress(text) {
  try {
    const url = new URL(text);
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, children) {
  return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, children);
}

/// The nodes of a text.
/// - Parameter isInLink: links do not nest.
export function inlineNodes(text, isInLink = false) {
  return new Inline(text, isInLink).nodes();
}

class Inline {
  constructor(text, isInLink) {
    this.text = text;
    this.isInLink = isInLink;
    this.at = 0;
    this.plain = '';
    /// Nodes, and marks that may turn out to be emphasis.
    this.pieces = [];
    this.open = [];
    /// What was looked for in vain, so that it is not looked for again.
    this.missing = new Set();
  }

  nodes() {
    while (this.at < this.text.length) {
      const character = this.text[this.at];
      if (!this.special(character)) {
        this.plain += character;
        this.at += 1;
      }
    }
    this.endPlain();
    return this.pieces.map((piece) => (piece.mark ? document.createTextNode(piece.mark.repeat(piece.count)) : piece));
  }

  special(character) {
    switch (character) {
      case '\\': return this.escape();
      case '`': return this.code();
      case '$': return this.dollars();
      case '*':
      case '_':
      case '~': return this.mark(character);
      case '!':
      case '[': return this.bracket();
      case '<': return this.angle();
      case '&': return this.entity();
      case 'h': return this.bareLink();
      case '\n': return this.lineEnd();
      default: return false;
    }
  }

  endPlain() {
    if (this.plain !== '') this.pieces.push(document.createTextNode(this.plain));
    this.plain = '';
  }

  add(node, length) {
    this.endPlain();
    this.pieces.push(node);
    this.at += length;
    return true;
  }

  /// Where `close` is next, or -1.
  search(close, from) {
    if (this.missing.has(close)) return -1;
    const found = this.text.indexOf(close, from);
    if (found < 0) this.missing.add(close);
    return found;
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === '(' || next === '[') {
      const close = next === '(' ? '\\)' : '\\]';
      const end = this.search(close, this.at + 2);
      if (end >= 0) return this.add(mathNode(this.text.slice(this.at + 2, end), next === '['), end + 2 - this.at);
    }
    if (next === '\n') return this.add(element('br'), 2);
    if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return false;
    this.plain += next;
    this.at += 2;
    return true;
  }

  code() {
    const ticks = /`+/y;
    ticks.lastIndex = this.at;
    const mark = ticks.exec(this.text)[0];
    let end = this.at + mark.length;
    for (;;) {
      end = this.missing.has(mark) ? -1 : this.text.indexOf(mark, end);
      if (end < 0) {
        this.missing.add(mark);
        this.plain += mark;
        this.at += mark.length;
        return true;
      }
      ticks.lastIndex = end;
      const found = ticks.exec(this.text)[0];
      if (found.length === mark.length) break;
      end += found.length;
    }
    let code = this.text.slice(this.at + mark.length, end).replaceAll('\n', ' ');
    if (code.length > 2 && code.startsWith(' ') && code.endsWith(' ')) code = code.slice(1, -1);
    return this.add(element('code', {}, code), end + mark.length - this.at);
  }

  /// `$x$` unless it looks like money: no blank inside the dollars, no digit behind.
  dollars() {
    if (this.text.startsWith('$$', this.at)) {
      const end = this.search('$$', this.at + 2);
      if (end > this.at + 2) return this.add(mathNode(this.text.slice(this.at + 2, end), true), end + 2 - this.at);
      return false;
    }
    const match = /\$(?![\s$])((?:\\[^]|[^$\\\n]){0,1000}?[^\s\\$]|\\.)\$(?![\d$])/y;
    match.lastIndex = this.at;
    const found = match.exec(this.text);
    return found ? this.add(mathNode(found[1], false), found[0].length) : false;
  }

  /// Looser than CommonMark at the edges of words: Chinese has no blanks between them.
  mark(character) {
    let count = 1;
    while (this.text[this.at + count] === character) count += 1;
    const before = this.text[this.at - 1] ?? ' ';
    const after = this.text[this.at + count] ?? ' ';
    const isWord = (letter) => /[\p{L}\p{N}]/u.test(letter);
    let canOpen = !/\s/.test(after);
    let canClose = !/\s/.test(before);
    if (character === '_') {
      canOpen &&= !isWord(before);
      canClose &&= !isWord(after);
    }
    if (character === '~' && count !== 2) canOpen = canClose = false;
    this.endPlain();
    this.at += count;
    let left = count;
    while (canClose && left > 0) {
      const used = this.close(character, left);
      if (used === 0) break;
      left -= used;
    }
    if (left === 0) return true;
    const piece = { mark: character, count: left };
    this.pieces.push(piece);
    if (canOpen && this.open.length < deepest) this.open.push(piece);
    return true;
  }

  /// Wraps what stands between the last open mark of this character and the end.
  /// - Returns: how many characters of the closing mark that took.
  close(character, count) {
    const index = this.open.findLastIndex((piece) => piece.mark === character);
    if (index < 0) return 0;
    const opener = this.open[index];
    const used = Math.min(2, opener.count, count);
    const tag = marks[character][used - 1];
    const place = this.pieces.lastIndexOf(opener);
    if (!tag || place === this.pieces.length - 1) return 0;
    const inner = this.pieces.splice(place + 1);
    const nodes = inner.map((piece) => (piece.mark ? document.createTextNode(piece.mark.repeat(piece.count)) : piece));
    opener.count -= used;
    this.open.length = opener.count > 0 ? index + 1 : index;
    if (opener.count === 0) this.pieces.pop();
    this.pieces.push(element(tag, {}, nodes));
    return used;
  }

  /// `[text](address)`. Pictures become links to them: the page fetches nothing from elsewhere.
  bracket() {
    const isPicture = this.text[this.at] === '!';
    const start = this.at + (isPicture ? 1 : 0);
    if (this.text[start] !== '[') return false;
    const end = this.partner(start);
    if (end === undefined || this.text[end + 1] !== '(') return false;
    const target = /\(\s*(?:<([^<>\n]{0,2000})>|((?:[^\s()]|\([^\s()]{0,500}\)){0,2000}))(?:\s+(?:"[^"\n]{0,500}"|'[^'\n]{0,500}'))?\s*\)/y;
    target.lastIndex = end + 1;
    const match = target.exec(this.text);
    const address = match && safeAddress(match[1] ?? match[2]);
    if (!match || !address || this.isInLink) return false;
    const label = this.text.slice(start + 1, end) || address;
    return this.add(link(address, inlineNodes(label, true)), end + 1 + match[0].length - this.at);
  }

  /// The bracket that closes the one at `start`.
  partner(start) {
    if (!this.partners) {
      this.partners = new Map();
      const open = [];
      for (let at = 0; at < this.text.length; at += 1) {
        if (this.text[at] === '\\') at += 1;
        else if (this.text[at] === '[') open.push(at);
        else if (this.text[at] === ']' && open.length > 0) this.partners.set(open.pop(), at);
      }
    }
    return this.partners.get(start);
  }

  angle() {
    closed['<'].lastIndex = this.at;
    const match = closed['<'].exec(this.text);
    const address = match && safeAddress(match[1]);
    if (address && !this.isInLink) return this.add(link(address, match[1]), match[0].length);
    const lineBreak = /<br ?\/?>/iy;
    lineBreak.lastIndex = this.at;
    const found = lineBreak.exec(this.text);
    return found ? this.add(element('br'), found[0].length) : false;
  }

  entity() {
    const match = /&(amp|lt|gt|quot|nbsp|#39);/y;
    match.lastIndex = this.at;
    const found = match.exec(this.text);
    if (!found) return false;
    this.plain += entities[found[1]];
    this.at += found[0].length;
    return true;
  }

  bareLink() {
    if (this.isInLink || /[\p{L}\p{N}]/u.test(this.text[this.at - 1] ?? ' ')) return false;
    bare.lastIndex = this.at;
    const match = bare.exec(this.text);
    if (!match) return false;
    // Punctuation that ends the sentence is not the address's; Chinese marks never are.
    let text = match[0].split(/[。，、；：！？（）【】「」『』《》]/u)[0].replace(/[.,:;!?*_~]+$/, '');
    if (text.endsWith(')') && !text.includes('(')) text = text.slice(0, -1);
    const address = safeAddress(text);
    return address ? this.add(link(address, text), text.length) : false;
  }

  /// Two blanks before the end of a line, or a single line end as chats mean it.
  lineEnd() {
    this.plain = this.plain.replace(/ +$/, '');
    return this.add(element('br'), 1);
  }
}

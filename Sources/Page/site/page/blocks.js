// Markdown's blocks (CommonMark with GFM's tables and task lists), as models write them. What is written is never refused: what has no
// meaning is a paragraph.

const deepest = 10;

/// The blocks of a text, each `{ type, source, … }`; `source` is the text a block came from.
export function parseBlocks(text) {
  return blocksOf(text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n'), 0);
}

const fence = /^ {0,3}(`{3,}|~{3,}) *([^`]*)$/;
const heading = /^ {0,3}(#{1,6})(?: (.*))?$/;
const rule = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const quote = /^ {0,3}> ?/;
const item = /^( {0,3})([-*+]|\d{1,9}[.)])(?: (.*)|)$/;
const tableRule = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
const mathStarts = [
  [/^ *\$\$/, /\$\$$/], [/^ *\\\[/, /\\\]$/], [/^ *\\begin\{(?:equation|align|gather)\*?\}/, /\\end\{(?:equation|align|gather)\*?\}$/],
];
const longestMath = 200;

const isBlank = (line) => line.trim() === '';

function blocksOf(lines, depth) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const block = blockAt(lines, at, depth);
    block.source = lines.slice(at, block.end).join('\n');
    blocks.push(block);
    at = block.end;
  }
  return blocks;
}

function blockAt(lines, at, depth) {
  const line = lines[at];
  const readers = [codeAt, mathAt, headingAt, ruleAt, tableAt];
  for (const reader of readers) {
    const block = reader(lines, at, line);
    if (block) return block;
  }
  if (depth < deepest) {
    const block = quoteAt(lines, at, depth) ?? listAt(lines, at, depth);
    if (block) return block;
  }
  return paragraphAt(lines, at);
}

function codeAt(lines, at, line) {
  const match = fence.exec(line);
  if (!match) return null;
  const indent = line.search(/\S/);
  let end = at + 1;
  const isEnd = (candidate) => {
    const close = /^ {0,3}(`{3,}|~{3,}) *$/.exec(candidate);
    return close && close[1][0] === match[1][0] && close[1].length >= match[1].length;
  };
  while (end < lines.length && !isEnd(lines[end])) end += 1;
  const code = lines.slice(at + 1, end).map((text) => text.slice(Math.min(indent, Math.max(0, text.search(/\S|$/)))));
  // An answer that is still being written has no end yet.
  return { type: 'code', language: match[2].trim().split(/\s/)[0], text: code.join('\n'), end: Math.min(lines.length, end + 1) };
}

function mathAt(lines, at, line) {
  for (const [start, close] of mathStarts) {
    const match = start.exec(line);
    if (!match) continue;
    for (let end = at; end < Math.min(lines.length, at + longestMath) && !isBlank(lines[end]); end += 1) {
      const text = end === at ? lines[end].slice(match[0].length) : lines[end];
      if (!close.test(text.trimEnd())) continue;
      const whole = [...lines.slice(at, end), lines[end]].join('\n').trim();
      const isEnvironment = whole.startsWith('\\begin');
      return { type: 'math', text: isEnvironment ? whole : whole.slice(2, -2), end: end + 1 };
    }
  }
  return null;
}

function headingAt(lines, at, line) {
  const match = heading.exec(line);
  if (!match) return null;
  const text = (match[2] ?? '').trim();
  // Hashes behind the heading belong to its mark.
  const bare = text.endsWith('#') ? text.replace(/#+$/, '') : text;
  return { type: 'heading', level: match[1].length, text: bare === '' || bare.endsWith(' ') ? bare.trim() : text, end: at + 1 };
}

const ruleAt = (lines, at, line) => (rule.test(line) ? { type: 'rule', end: at + 1 } : null);

/// Cells of a table's row; `\|` and bars in code are no borders.
function cells(line) {
  const parts = [];
  let cell = '';
  let ticks = false;
  const text = line.trim().replace(/^\|/, '');
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\' && text[at + 1] === '|') {
      cell += '|';
      at += 1;
    } else if (text[at] === '|' && !ticks) {
      parts.push(cell.trim());
      cell = '';
    } else {
      if (text[at] === '`') ticks = !ticks;
      cell += text[at];
    }
  }
  if (cell.trim() !== '') parts.push(cell.trim());
  return parts;
}

function tableAt(lines, at, line) {
  if (!line.includes('|') || at + 1 >= lines.length || !tableRule.test(lines[at + 1]) || !lines[at + 1].includes('-')) return null;
  const head = cells(line);
  const rules = cells(lines[at + 1]);
  if (head.length !== rules.length) return null;
  const alignments = rules.map((text) => (text.endsWith(':') ? (text.startsWith(':') ? 'center' : 'end') : 'start'));
  let end = at + 2;
  const rows = [];
  while (end < lines.length && !isBlank(lines[end]) && lines[end].includes('|')) {
    const row = cells(lines[end]).slice(0, head.length);
    rows.push([...row, ...Array(head.length - row.length).fill('')]);
    end += 1;
  }
  return { type: 'table', head, rows, alignments, end };
}

function quoteAt(lines, at, depth) {
  if (!quote.test(lines[at])) return null;
  let end = at;
  const inner = [];
  while (end < lines.length && (quote.test(lines[end]) || (!isBlank(lines[end]) && !startsBlock(lines[end])))) {
    inner.push(lines[end].replace(quote, ''));
    end += 1;
  }
  return { type: 'quote', blocks: blocksOf(inner, depth + 1), end };
}

function listAt(lines, at, depth) {
  const first = item.exec(lines[at]);
  if (!first) return null;
  const isOrdered = /\d/.test(first[2]);
  const kind = (marker) => (/\d/.test(marker) ? marker.slice(-1) : marker);
  const items = [];
  let isLoose = false;
  let end = at;
  while (end < lines.length) {
    const match = item.exec(lines[end]);
    if (!match || kind(match[2]) !== kind(first[2]) || rule.test(lines[end])) break;
    const indent = match[1].length + match[2].length + 1 + Math.min(4, Math.max(0, (match[3] ?? '').search(/\S|$/)));
    const inner = [(match[3] ?? '').trimStart()];
    end += 1;
    while (end < lines.length) {
      const line = lines[end];
      const depthOfLine = line.search(/\S/);
      if (isBlank(line)) {
        // A blank line belongs to the item when what follows does.
        let next = end;
        while (next < lines.length && isBlank(lines[next])) next += 1;
        if (next === lines.length || lines[next].search(/\S/) < Math.min(indent, match[1].length + 2)) break;
        inner.push(...Array(next - end).fill(''));
        end = next;
        continue;
      } else if (depthOfLine >= Math.min(indent, match[1].length + 2)) {
        inner.push(line.slice(Math.min(indent, depthOfLine)));
      } else if (startsBlock(line) || item.test(line) || inner.at(-1) === '') {
        break;
      } else {
        inner.push(line.trimStart());
      }
      end += 1;
    }
    const task = /^\[([ xX])\] /.exec(inner[0]);
    if (task) inner[0] = inner[0].slice(4);
    if (inner.some((text, index) => text === '' && index > 0 && inner[index + 1]?.search(/\S/) === 0)) isLoose = true;
    items.push({ blocks: blocksOf(inner, depth + 1), task: task && task[1] !== ' ', isTask: Boolean(task) });
    const blank = end;
    while (end < lines.length && isBlank(lines[end])) end += 1;
    const next = end < lines.length ? item.exec(lines[end]) : null;
    if (!next || kind(next[2]) !== kind(first[2])) {
      end = blank;
      break;
    }
    if (end > blank) isLoose = true;
  }
  return { type: 'list', isOrdered, start: isOrdered ? Number.parseInt(first[2], 10) : 1, items, isLoose, end };
}

/// Whether a line ends the paragraph before it.
function startsBlock(line) {
  if (fence.test(line) || heading.test(line) || rule.test(line) || quote.test(line) || mathStarts.some(([start]) => start.test(line))) return true;
  const match = item.exec(line);
  // Numbers begin a list inside a paragraph only with 1: a sentence may well begin with a year.
  return Boolean(match && match[3] && (!/\d/.test(match[2]) || Number.parseInt(match[2], 10) === 1));
}

function paragraphAt(lines, at) {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end])) {
    const underline = /^ {0,3}(=+|-+) *$/.exec(lines[end]);
    if (underline) {
      const text = lines.slice(at, end).join('\n').trim();
      return { type: 'heading', level: underline[1][0] === '=' ? 1 : 2, text, end: end + 1 };
    }
    if (startsBlock(lines[end]) || tableAt(lines, end, lines[end])) break;
    end += 1;
  }
  return { type: 'paragraph', text: lines.slice(at, end).map((line) => line.trimStart()).join('\n').trimEnd(), end };
}

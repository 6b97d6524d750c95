// Shows a Markdown text, also one that grows: blocks that have not changed are not made again, and nodes stay as far as they can.
import { parseBlocks } from './blocks.js';
import { codeBlock } from './code.js';
import { element } from './dom.js';
import { inlineNodes } from './inline.js';
import { mathNode } from './math.js';
import { morphChildren } from './morph.js';
import { word } from './words.js';

const shown = new WeakMap();
/// Characters of a table's cell that stay on one line.
const longest = { th: 28, td: 18 };

/// Makes `container` show a text.
export function showMarkdown(container, text) {
  showBlocks(container, parseBlocks(text));
}

/// Makes `container` show a text as code.
export function showCode(container, text, language) {
  showBlocks(container, [{ type: 'code', source: text, text, language }]);
}

/// Has everything made anew, as in another language.
export function forgetShown(container) {
  shown.delete(container);
  container.replaceChildren();
}

function showBlocks(container, blocks) {
  const keys = blocks.map((block) => `${block.type}\n${block.source}`);
  const earlier = shown.get(container) ?? [];
  let same = 0;
  while (same < keys.length && same < earlier.length && keys[same] === earlier[same]) same += 1;
  morphChildren(container, blocks.slice(same).map(blockNode), same);
  shown.set(container, keys);
}

function blockNode(block) {
  switch (block.type) {
    case 'code': return codeBlock(block.text, block.language);
    case 'math': return element('div', { class: 'math-block', tabindex: '0' }, mathNode(block.text, true));
    // The page's own headings come first.
    case 'heading': return element(`h${Math.min(6, block.level + 2)}`, {}, inlineNodes(block.text));
    case 'rule': return element('hr');
    case 'quote': return element('blockquote', {}, block.blocks.map(blockNode));
    case 'list': return listNode(block);
    case 'table': return tableNode(block);
    default: return element('p', {}, inlineNodes(block.text));
  }
}

function listNode(block) {
  const items = block.items.map((item) => {
    const content = item.blocks.flatMap((inner) =>
      inner.type === 'paragraph' && !block.isLoose ? inlineNodes(inner.text) : [blockNode(inner)]);
    const box = item.isTask ? element('input', { type: 'checkbox', disabled: true, checked: Boolean(item.task), 'aria-label': word(item.task ? 'taskDone' : 'taskOpen') }) : null;
    return element('li', { class: item.isTask ? 'task' : null }, box, content);
  });
  return element(block.isOrdered ? 'ol' : 'ul', { start: block.isOrdered && block.start !== 1 ? block.start : null }, items);
}

function tableNode(block) {
  const row = (tag, texts) =>
    element('tr', {}, texts.map((text, index) => element(tag, { class: `align-${block.alignments[index]}${[...text].length > longest[tag] ? ' long' : ''}` }, inlineNodes(text))));
  const table = element(
    'table', {}, element('thead', {}, row('th', block.head)), element('tbody', {}, block.rows.map((texts) => row('td', texts))));
  // A wide one scrolls by itself, with the keyboard too.
  return element('div', { class: 'table-frame', tabindex: '0' }, table);
}

// Shows a Markdown text, also one that grows: blocks that have not changed stay as they are.
import { parseBlocks } from './blocks.js';
import { codeBlock } from './code.js';
import { element } from './dom.js';
import { inlineNodes } from './inline.js';
import { mathNode } from './math.js';
import { word } from './words.js';

const shown = new WeakMap();

/// Makes `container` show a text.
export function showMarkdown(container, text) {
  const blocks = parseBlocks(text);
  const keys = blocks.map((block) => `${block.type}\n${block.source}`);
  const earlier = shown.get(container) ?? [];
  let same = 0;
  while (same < keys.length && same < earlier.length && keys[same] === earlier[same]) same += 1;
  while (container.childNodes.length > same) container.lastChild.remove();
  container.append(...blocks.slice(same).map(blockNode));
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
    element('tr', {}, texts.map((text, index) => element(tag, { class: `align-${block.alignments[index]}` }, inlineNodes(text))));
  const table = element(
    'table', {}, element('thead', {}, row('th', block.head)), element('tbody', {}, block.rows.map((texts) => row('td', texts))));
  // A wide one scrolls by itself, with the keyboard too.
  return element('div', { class: 'table-frame', tabindex: '0' }, table);
}

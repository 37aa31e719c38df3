/** A small Markdown, built of DOM nodes only: an answer is a stranger's text and never becomes markup by itself. */

import { copyButton } from './buttons.js';
import { h } from './dom.js';
import { formula } from './formula.js';
import { DEEPEST, inline } from './inline.js';
import { gettext } from './words.js';

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^(#{1,6})\s+(.+)/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) +(?=\S)/;
const QUOTE = /^ {0,3}> ?/;
const MATHS = /^ {0,3}(\$\$|\\\[)/;
const MATHS_END = { '$$': '$$', '\\[': '\\]' };
const TASK = /^\[([ xX])\] +(?=\S)/;

/** Draws a growing text into `root`; blocks that did not change keep their nodes, so nothing moves above the end. */
export class Rendering {
  #sources = [];

  constructor(root) {
    this.root = root;
  }

  show(text) {
    const blocks = [...split(text.split('\n'))];
    const sources = blocks.map(({ type, lines }) => `${type}\n${lines.join('\n')}`);
    const first = sources.findIndex((source, at) => source !== this.#sources[at]);
    let kept = first < 0 ? sources.length : first;
    if (grown(this.root.children[kept], this.#sources[kept], blocks[kept])) kept += 1;
    while (this.root.children.length > kept) this.root.lastElementChild.remove();
    for (const block of blocks.slice(kept)) this.root.append(draw(block, 0));
    this.#sources = sources;
  }
}

// A growing piece of code keeps its nodes, so that it can be copied and scrolled meanwhile.
function grown(node, before, block) {
  if (block?.type !== 'fence' || !before) return false;
  if (!`${before}\n`.startsWith(`fence\n${block.lines[0]}\n`)) return false;
  node.querySelector('code').textContent = codeOf(block.lines);
  return true;
}

function isTable(lines, at) {
  const next = lines[at + 1] ?? '';
  return lines[at].includes('|') && /^[\s:|-]+$/.test(next) && next.includes('|') && next.includes('-');
}

const opens = (lines, at) =>
  FENCE.test(lines[at]) || HEADING.test(lines[at]) || RULE.test(lines[at]) || ITEM.test(lines[at]) ||
  QUOTE.test(lines[at]) || isTable(lines, at) || mathsEnd(lines, at) !== 0;

// Every block takes the lines from `at` to the first that is not its own: → the index of that line.
const EXTENT = {
  fence(lines, at) {
    const [, marks] = FENCE.exec(lines[at]);
    const closes = (line) => line.trim().startsWith(marks) && !line.trim().replaceAll(marks[0], '');
    return Math.min(until(lines, at + 1, closes) + 1, lines.length);
  },
  list(lines, at) {
    const indent = ITEM.exec(lines[at])[1].length;
    const inside = (line) => !line.trim() || line.startsWith(' '.repeat(indent + 1)) || ITEM.test(line);
    let end = at + 1;
    while (end < lines.length && (inside(lines[end]) || (lines[end - 1].trim() && !opens(lines, end)))) end += 1;
    while (!lines[end - 1].trim()) end -= 1;
    return end;
  },
  maths: mathsEnd,
  unfinished: (lines) => lines.length,
  table: (lines, at) => until(lines, at + 2, (line) => !line.includes('|')),
  quote: (lines, at) => until(lines, at, (line) => !QUOTE.test(line)),
  heading: (_, at) => at + 1,
  rule: (_, at) => at + 1,
  text: (lines, at) => until(lines, at + 1, (line, i) => !line.trim() || opens(lines, i)),
};

function until(lines, from, stops) {
  let end = from;
  while (end < lines.length && !stops(lines[end], end)) end += 1;
  return end;
}

// A formula of its own lines: → the index after it, 0 where there is none, -1 where the text ends before it does.
function mathsEnd(lines, at) {
  const [opening, mark] = MATHS.exec(lines[at]) ?? [];
  if (!mark) return 0;
  const end = MATHS_END[mark];
  const rest = lines[at].slice(opening.length);
  if (rest.includes(end)) return closes(rest, end) && rest.trim() !== end ? at + 1 : 0;
  const last = until(lines, at + 1, (line) => !line.trim() || line.includes(end) || MATHS.test(line));
  if (last === lines.length) return rest.trim() ? 0 : -1;
  return closes(lines[last], end) ? last + 1 : 0;
}

function closes(line, end) {
  const at = line.indexOf(end);
  return at >= 0 && !line.slice(at + end.length).trim();
}

function typeOf(lines, at) {
  if (FENCE.test(lines[at])) return 'fence';
  if (HEADING.test(lines[at])) return 'heading';
  if (RULE.test(lines[at])) return 'rule';
  if (ITEM.test(lines[at])) return 'list';
  if (QUOTE.test(lines[at])) return 'quote';
  if (isTable(lines, at)) return 'table';
  const maths = mathsEnd(lines, at);
  if (maths) return maths > 0 ? 'maths' : 'unfinished';
  return 'text';
}

function* split(lines) {
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const type = typeOf(lines, at);
    const end = EXTENT[type](lines, at);
    yield { type, lines: lines.slice(at, end) };
    at = end;
  }
}

const DRAW = {
  fence: (lines) => {
    const [, language = ''] = /^ {0,3}[`~]+\s*([\w+#.-]{1,30})/.exec(lines[0]) ?? [];
    const code = h('code', {}, codeOf(lines));
    const copy = copyButton(() => code.textContent, gettext('Copy the code'));
    const bar = h('div', { class: 'code-bar' }, h('span', { translate: 'no' }, language), copy);
    return h('div', { class: 'code', dir: 'ltr' }, bar, h('pre', { tabindex: 0 }, code));
  },
  maths: (lines) => {
    const source = lines.join('\n').trim();
    return h('div', { class: 'scrolls', tabindex: 0, role: 'group', 'aria-label': gettext('Formula') },
      formula(source, source.slice(2, -2), true));
  },
  // Until its end has come it is no formula, and what is in it is no Markdown either.
  unfinished: (lines) => h('p', {}, lines.join('\n')),
  // The page's own headings go to the third level.
  heading: ([line]) => {
    const [, marks, text] = HEADING.exec(line);
    return h(`h${Math.min(6, marks.length + 3)}`, {}, inline(text.replace(/\s#+\s*$/, '')));
  },
  rule: () => h('hr'),
  quote: (lines, depth) => h('blockquote', {}, children(lines.map((line) => line.replace(QUOTE, '')), depth)),
  list: (lines, depth) => {
    const number = parseInt(lines[0].trim(), 10);
    const items = itemsOf(lines).map((item) => drawItem(item, depth));
    return Number.isNaN(number) ? h('ul', {}, items) : h('ol', { start: number }, items);
  },
  table: ([head, rule, ...rows]) => {
    const sides = cellsOf(rule).map(sideOf);
    const cells = (line, tag) => cellsOf(line).map((cell, at) => h(tag, { class: sides[at] }, inline(cell)));
    const body = rows.map((row) => h('tr', {}, cells(row, 'td')));
    const table = h('table', {}, h('thead', {}, h('tr', {}, cells(head, 'th'))), h('tbody', {}, body));
    return h('div', { class: 'scrolls', tabindex: 0, role: 'group', 'aria-label': gettext('Table') }, table);
  },
  text: (lines) => h('p', {}, inline(lines.join('\n'))),
};

function draw({ type, lines }, depth) {
  return depth > DEEPEST ? h('p', {}, lines.join('\n')) : DRAW[type](lines, depth);
}

function children(lines, depth) {
  return [...split(lines)].map((block) => draw(block, depth + 1));
}

function codeOf(lines) {
  const closed = lines.length > 1 && FENCE.test(lines.at(-1));
  return lines.slice(1, closed ? -1 : undefined).join('\n');
}

function drawItem([first, ...others], depth) {
  const [mark, done] = TASK.exec(first) ?? [];
  const nodes = tight(children([first.slice(mark?.length ?? 0), ...others], depth));
  if (!mark) return h('li', {}, nodes);
  const ticked = done !== ' ';
  const label = ticked ? gettext('Done') : gettext('To do');
  const box = h('input', { type: 'checkbox', disabled: true, checked: ticked, 'aria-label': label });
  if (nodes[0]?.tagName === 'P') nodes[0].prepend(box);
  else nodes.unshift(box);
  return h('li', { class: 'task' }, nodes);
}

// An item of one paragraph stands without its paragraph's margins; one with a formula keeps it, to be scrolled.
function tight(nodes) {
  const [first, ...others] = nodes;
  return first?.tagName === 'P' && !first.querySelector('.formula') ? [...first.childNodes, ...others] : nodes;
}

function itemsOf(lines) {
  const indent = ITEM.exec(lines[0])[1].length;
  const outdent = new RegExp(`^ {0,${Math.min(indent, 100) + 4}}`);
  const items = [];
  for (const line of lines) {
    const mark = ITEM.exec(line);
    if (mark && mark[1].length <= indent + 1) items.push([line.slice(mark[0].length)]);
    else items.at(-1).push(line.replace(outdent, ''));
  }
  return items;
}

function cellsOf(line) {
  const cells = line.trim().replace(/^\||(?<!\\)\|$/g, '').split(/(?<!\\)\|/);
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function sideOf(rule) {
  if (!rule.endsWith(':')) return null;
  return rule.startsWith(':') ? 'centred' : 'at-end';
}

/** A small Markdown, built of DOM nodes only: an answer is a stranger's text and never becomes markup by itself. */

import { h } from './dom.js';

const DEEPEST = 6;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^(#{1,6})\s+(.+)/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) +(?=\S)/;
const QUOTE = /^ {0,3}> ?/;
const NEXT_MARK = /[\\`*_[]|https?:\/\//g;

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
    const kept = first < 0 ? sources.length : first;
    while (this.root.children.length > kept) this.root.lastElementChild.remove();
    for (const block of blocks.slice(kept)) this.root.append(draw(block, 0));
    this.#sources = sources;
  }
}

function isTable(lines, at) {
  const next = lines[at + 1] ?? '';
  return lines[at].includes('|') && /^[\s:|-]+$/.test(next) && next.includes('|') && next.includes('-');
}

const opens = (lines, at) =>
  FENCE.test(lines[at]) || HEADING.test(lines[at]) || RULE.test(lines[at]) || ITEM.test(lines[at]) ||
  QUOTE.test(lines[at]) || isTable(lines, at);

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

function typeOf(lines, at) {
  if (FENCE.test(lines[at])) return 'fence';
  if (HEADING.test(lines[at])) return 'heading';
  if (RULE.test(lines[at])) return 'rule';
  if (ITEM.test(lines[at])) return 'list';
  if (QUOTE.test(lines[at])) return 'quote';
  return isTable(lines, at) ? 'table' : 'text';
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
    const closed = lines.length > 1 && FENCE.test(lines.at(-1));
    return h('pre', { tabindex: 0 }, h('code', {}, lines.slice(1, closed ? -1 : undefined).join('\n')));
  },
  // The page's own headings go to the third level.
  heading: ([line]) => {
    const [, marks, text] = HEADING.exec(line);
    return h(`h${Math.min(6, marks.length + 3)}`, {}, inline(text.replace(/\s#+\s*$/, '')));
  },
  rule: () => h('hr'),
  quote: (lines, depth) => h('blockquote', {}, children(lines.map((line) => line.replace(QUOTE, '')), depth)),
  list: (lines, depth) => {
    const number = parseInt(lines[0].trim(), 10);
    const items = itemsOf(lines).map((item) => h('li', {}, tight(children(item, depth))));
    return Number.isNaN(number) ? h('ul', {}, items) : h('ol', { start: number }, items);
  },
  table: ([head, , ...rows]) => {
    const cells = (line, tag) => cellsOf(line).map((cell) => h(tag, {}, inline(cell)));
    const body = rows.map((row) => h('tr', {}, cells(row, 'td')));
    const table = h('table', {}, h('thead', {}, h('tr', {}, cells(head, 'th'))), h('tbody', {}, body));
    return h('div', { class: 'scrolls', tabindex: 0, role: 'group', 'aria-label': 'Table' }, table);
  },
  text: (lines) => h('p', {}, inline(lines.join('\n'))),
};

function draw({ type, lines }, depth) {
  return depth > DEEPEST ? h('p', {}, lines.join('\n')) : DRAW[type](lines, depth);
}

function children(lines, depth) {
  return [...split(lines)].map((block) => draw(block, depth + 1));
}

// An item of one paragraph stands without its paragraph's margins.
function tight(nodes) {
  return nodes.length && nodes[0].tagName === 'P' ? [...nodes[0].childNodes, ...nodes.slice(1)] : nodes;
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
  return line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
}

// Each pattern reads on from its mark without going back, so a hostile answer costs no more than a long one.
const INLINE = [
  [/\\([\\`*_[\](){}#+.!|>~-])/y, ([, char]) => char],
  [/(`+)([^`]+)\1(?!`)/y, ([, , code]) => h('code', {}, code.replace(/^ (.+) $/, '$1'))],
  [/\*\*(?=[^\s*])([^*]+(?:\*(?!\*)[^*]+)*)\*\*/y, ([, text], depth) => h('strong', {}, inline(text, depth + 1))],
  [/\*(?=[^\s*])([^*\n]*[^\s*])\*(?!\*)/y, ([, text], depth) => h('em', {}, inline(text, depth + 1))],
  [/(?<![\p{L}\p{N}_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\p{L}\p{N}_])/uy,
    ([, text], depth) => h('em', {}, inline(text, depth + 1))],
  [/\[([^[\]\n]+)\]\(([^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)?)\)/y,
    ([all, text, href]) => link(href, text) ?? all],
  [/https?:\/\/[^\s<>()"'`*[\]]*[^\s<>()"'`*[\].,;:!?]/y, ([href]) => link(href, href) ?? href],
];

function link(href, text) {
  if (!/^(https?:|mailto:)/i.test(href) || !URL.canParse(href)) return null;
  return h('a', { href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow' }, text);
}

function inline(text, depth = 0) {
  if (depth > DEEPEST) return [text];
  const parts = [];
  let plain = 0;
  for (let at = 0; at < text.length; ) {
    NEXT_MARK.lastIndex = at;
    const mark = NEXT_MARK.exec(text);
    if (!mark) break;
    const found = rendered(text, mark.index, depth);
    at = mark.index + (found?.length ?? 1);
    if (!found) continue;
    parts.push(text.slice(plain, mark.index), found.node);
    plain = at;
  }
  return [...parts, text.slice(plain)].filter((part) => part !== '');
}

function rendered(text, at, depth) {
  for (const [pattern, make] of INLINE) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    // The pattern may have been used by an inner text meanwhile: the match says how long it was.
    if (match) return { node: make(match, depth), length: match[0].length };
  }
  return null;
}

/** Formulas as MathML, which browsers draw by themselves: no fonts, no styles, and nothing in it that acts. */

import '../vendor/katex/katex.min.js';

const { katex } = globalThis;
const LONGEST = 5000;
const KEPT = 500;
// Words of other languages, and line breaks, are nothing that a reader must be kept from.
const FINE = ['unicodeTextInMathMode', 'newLineInDisplayMode', 'mathVsTextAccents', 'mathVsTextUnits'];
const OPTIONS = {
  output: 'mathml',
  trust: false,
  strict: (code) => (FINE.includes(code) ? 'ignore' : 'error'),
  throwOnError: true,
  maxSize: 20,
  maxExpand: 200,
};
const known = new Map();

/** A new <math> element, or null where the formula is wrong, too long or too deep; each is worked out once. */
export function render(tex, display) {
  const key = `${display} ${tex}`;
  if (!known.has(key)) {
    if (known.size >= KEPT) known.delete(known.keys().next().value);
    known.set(key, made(tex, display));
  }
  return known.get(key)?.cloneNode(true) ?? null;
}

function made(tex, display) {
  if (tex.length > LONGEST) return null;
  try {
    const tree = katex.__renderToDomTree(tex, { ...OPTIONS, displayMode: display });
    withoutStyles(tree);
    const math = tree.toNode().querySelector('math');
    math.querySelectorAll('[data-style]').forEach(styled);
    math.querySelectorAll('mtable').forEach(aligned);
    return math;
  } catch {
    return null;
  }
}

// A style attribute is nothing that the page's policy lets through; what is set by script is.
function withoutStyles(node) {
  const { style, ...others } = node.attributes ?? {};
  if (style) node.attributes = { ...others, 'data-style': style };
  node.children?.forEach(withoutStyles);
}

function styled(node) {
  const [, name, value] = /^(border|text-shadow): (.+)$/.exec(node.dataset.style) ?? [];
  if (name) node.style.setProperty(name, value);
  delete node.dataset.style;
}

// Browsers leave a table's attributes to CSS; without them no two lines of a derivation stand under each other.
function aligned(table) {
  const lists = (name) => (table.getAttribute(name) ?? '').split(' ').filter(Boolean);
  const [sides, gaps, lines] = [lists('columnalign'), lists('columnspacing'), lists('columnlines')];
  const of = (list, at) => list[Math.min(at, list.length - 1)];
  for (const row of table.children) {
    const last = row.children.length - 1;
    [...row.children].forEach(({ style }, at) => {
      align(style, of(sides, at));
      style.paddingLeft = half(at ? of(gaps, at - 1) : '0em');
      style.paddingRight = half(at < last ? of(gaps, at) : '0em');
      if (at < last && lines.length && of(lines, at) !== 'none') style.borderRight = `1px ${of(lines, at)}`;
    });
  }
  ruled(table);
}

// What stands in a cell is a block to some browsers, which only their own words move.
function align(style, side) {
  if (!side) return;
  style.textAlign = side;
  style.textAlign = `-webkit-${side}`;
}

function ruled(table) {
  const lines = (table.getAttribute('rowlines') ?? '').split(' ').filter(Boolean);
  const rows = [...table.children].slice(0, -1);
  rows.forEach(({ style }, at) => {
    const line = lines[Math.min(at, lines.length - 1)];
    if (line && line !== 'none') style.borderBottom = `1px ${line}`;
  });
}

function half(length) {
  return length ? `calc(${length} / 2)` : '';
}

/** The text of a host page's HTML, as a model reads it. Nothing of it is ever put into a document that is shown. */

const LEFT_OUT = [
  'script', 'style', 'noscript', 'template', 'svg', 'iframe', 'object', 'nav', 'footer', 'select', 'textarea',
  'mentor-ai', '[hidden]', '[aria-hidden="true"]', '[data-mentor-ignore]',
];
// How far apart what begins or ends with one stands: in a line of its own, or a paragraph.
const LINES = ['ADDRESS', 'ARTICLE', 'ASIDE', 'BR', 'DD', 'DIV', 'DT', 'FIGCAPTION', 'FORM', 'HEADER', 'LI', 'MAIN', 'TR'];
const PARAGRAPHS = [
  'BLOCKQUOTE', 'DL', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'HR', 'OL', 'P', 'PRE', 'SECTION', 'TABLE', 'UL',
];
const APART = new Map([...LINES.map((name) => [name, 1]), ...PARAGRAPHS.map((name) => [name, 2])]);
const CELLS = new Set(['TD', 'TH']);

/** Most characters of HTML that are looked at: a page may be of any size. */
export const MOST_HTML = 4_000_000;

/** `source` is HTML, or text that has no tags in it. */
export function textOf(source) {
  const html = source.slice(0, MOST_HTML);
  if (!/<[a-z!/?]/i.test(html)) return tidy(html);
  return tidy(told(new DOMParser().parseFromString(unstyled(html), 'text/html').body));
}

// Our policy speaks of every style and handler in what is read, though none is ever applied: none is left in it.
function unstyled(html) {
  const tags = html.replace(/<(\/?)style\b/gi, '<$1template');
  // Behind the last end no tag ends: not to be looked for from each that begins there.
  const end = tags.lastIndexOf('>') + 1;
  const plain = (tag) => tag.replace(/([\s"'/])(style|on\w+)(?=\s*=)/gi, '$1data-$2');
  return tags.slice(0, end).replace(/<[a-z][^>]*>/gi, plain) + tags.slice(end);
}

// Without recursion: a hostile page may be nested as deeply as its parser lets it.
function told(body) {
  for (const node of body.querySelectorAll(LEFT_OUT.join())) node.remove();
  const parts = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) say(parts, node.data.replace(/\s+/g, ' '));
    else if (CELLS.has(node.tagName)) parts.push('\t');
    else if (node.tagName === 'IMG' && node.alt) say(parts, ` ${node.alt} `);
    else part(parts, APART.get(node.tagName));
    if (!node.firstChild) part(parts, closing(node));
  }
  return parts.join('');
}

function say(parts, text) {
  if (text.trim() || (parts.length && parts.at(-1) !== '\n')) parts.push(text);
}

function part(parts, lines = 0) {
  let have = 0;
  while (have < lines && parts.at(-1 - have) === '\n') have += 1;
  for (; parts.length && have < lines; have += 1) parts.push('\n');
}

// What ends together with this last node of it.
function closing(leaf) {
  let lines = 0;
  for (let node = leaf; node?.parentNode && !node.nextSibling; ) {
    node = node.parentNode;
    lines = Math.max(lines, APART.get(node.tagName) ?? 0);
  }
  return lines;
}

function tidy(text) {
  const lines = text.split('\n').map((line) => line.replace(/[^\S\t]+/g, ' ').replace(/ ?\t ?/g, ' | ').trim());
  return lines.map((line) => line.replace(/^\| /, '')).join('\n').replace(/\n{3,}/g, '\n\n').trim();
}

/** The longest beginning of at most `most` bytes. */
export function cut(text, most) {
  const encoded = new TextEncoder().encode(text);
  if (encoded.length <= most) return text;
  return new TextDecoder().decode(encoded.subarray(0, most)).replace(/\uFFFD+$/, '');
}

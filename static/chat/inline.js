/** What stands within a line of Markdown, built of DOM nodes only. */

import { h } from './dom.js';
import { formula } from './formula.js';

export const DEEPEST = 6;
const NEXT_MARK = /[\\`*_[$]|~~|https?:\/\//g;

// Each pattern reads on from its mark without going back, and not beyond the next such mark, so a hostile answer
// costs no more than a long one. A dollar is a price unless something stands close to it on the inside.
const INLINE = [
  [/\\\((?!\s*\\\))([^\\\n]*(?:\\[^()\n][^\\\n]*)*)\\\)/y, ([all, tex]) => formula(all, tex, false)],
  [/\\\[(?!\s*\\\])([^\\]*(?:\\[^[\]][^\\]*)*)\\\]/y, ([all, tex]) => formula(all, tex, true)],
  [/(?<!\$)\$\$(?=\s*[^\s$])([^$\\]*(?:\\[^][^$\\]*)*)\$\$(?!\$)/y, ([all, tex]) => formula(all, tex, true)],
  [/(?<![\p{L}\p{N}$])\$(?![\s$])([^$\\\n]*(?:\\[^\n][^$\\\n]*)*)(?<!\s)\$(?![\d$])/uy,
    ([all, tex]) => formula(all, tex, false)],
  [/\\([\\`*_[\](){}#+.!|>~$-])/y, ([, char]) => char],
  [/(`+)([^`]+)\1(?!`)/y, ([, , code]) => h('code', {}, code.replace(/^ (.+) $/, '$1'))],
  [/\*\*\*(?=[^\s*])([^*]*[^\s*])\*\*\*(?!\*)/y,
    ([, text], ...within) => h('strong', {}, h('em', {}, deeper(text, ...within)))],
  [/\*\*(?=[^\s*])([^*]+(?:\*(?!\*)[^*]+)*(?:\*(?=\*\*))?)\*\*/y,
    ([, text], ...within) => h('strong', {}, deeper(text, ...within))],
  [/\*(?=[^\s*])([^*\n]*(?:\*\*[^*\n]+\*\*[^*\n]*)*)(?<!\s)\*(?!\*)/y,
    ([, text], ...within) => h('em', {}, deeper(text, ...within))],
  [/(?<![\p{L}\p{N}_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\p{L}\p{N}_])/uy,
    ([, text], ...within) => h('em', {}, deeper(text, ...within))],
  [/~~(?=[^\s~])([^~\n]*(?:~(?!~)[^~\n]+)*)(?<!\s)~~/y, ([, text], ...within) => h('del', {}, deeper(text, ...within))],
  [/\[([^[\]\n]+)\]\(([^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)?)\)/y,
    ([all, text, href], depth, linked) => (linked ? all : link(href, inline(text, depth + 1, true)) ?? all)],
  [/https?:\/\/[^\s<>()"'`*[\]]*[^\s<>()"'`*[\].,;:!?]/y,
    ([href], depth, linked) => (linked ? href : link(href, href) ?? href)],
];

function deeper(text, depth, linked) {
  return inline(text, depth + 1, linked);
}

function link(href, content) {
  if (!/^(https?:|mailto:)/i.test(href) || !URL.canParse(href)) return null;
  return h('a', { href, title: href, target: '_blank', rel: 'noopener noreferrer nofollow' }, content);
}

/** The nodes and texts of `text`; within a link nothing else is one. */
export function inline(text, depth = 0, linked = false) {
  if (depth > DEEPEST) return [text];
  const parts = [];
  let plain = 0;
  for (let at = 0; at < text.length; ) {
    NEXT_MARK.lastIndex = at;
    const mark = NEXT_MARK.exec(text);
    if (!mark) break;
    const found = rendered(text, mark.index, depth, linked);
    at = mark.index + (found?.length ?? 1);
    if (!found) continue;
    parts.push(text.slice(plain, mark.index), found.node);
    plain = at;
  }
  return [...parts, text.slice(plain)].filter((part) => part !== '');
}

function rendered(text, at, depth, linked) {
  for (const [pattern, make] of INLINE) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    // The pattern may have been used by an inner text meanwhile: the match says how long it was.
    if (match) return { node: make(match, depth, linked), length: match[0].length };
  }
  return null;
}

/** A value of any size as rows to open: what is not open is not there, and of what is open only so much at once. */

import { h } from './dom.js';
import { kind } from './metadata.js';
import { gettext, interpolate, language, ngettext } from './words.js';

const ROWS_AT_ONCE = 100;
const LONGEST_KEY = 200;
const LONGEST_TEXT = 2000;

/** The rows of an object or a list. */
export function tree(value) {
  const entries = Object.entries(value);
  const list = h('ul', { class: 'tree', tabindex: -1 });
  const more = moreButton(() => {
    const from = list.children.length;
    for (const [key, part] of entries.slice(from, from + ROWS_AT_ONCE)) list.append(row(key, part));
    return entries.length - list.children.length;
  }, list);
  return h('div', {}, list, more);
}

/** A text of any length, so much of it and the rest on demand, in a `tag` of its own. */
export function clipped(text, tag, most = 10 * LONGEST_TEXT) {
  const shown = document.createTextNode('');
  const node = h(tag, tag === 'pre' ? { tabindex: 0, dir: 'ltr' } : {}, shown);
  const more = moreButton(() => {
    shown.appendData(text.slice(shown.length, shown.length + most));
    return text.length - shown.length;
  }, node);
  return [node, more];
}

// Shows the first part at once, and each other as it is asked for; after the last the focus goes on to `next`.
function moreButton(show, next) {
  const node = h('button', { type: 'button', class: 'more', onclick: go });
  let left;
  function go() {
    left = show();
    node.textContent = interpolate(gettext('and %(count)s more'), { count: left.toLocaleString(language) });
    if (left > 0 || !node.isConnected) return;
    node.remove();
    next.focus();
  }
  go();
  return left > 0 ? node : null;
}

function row(key, value) {
  const short = key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key;
  const name = h('bdi', { class: 'key' }, short);
  const size = value !== null && typeof value === 'object' ? Object.keys(value).length : 0;
  if (!size) return h('li', { class: 'pair' }, name, ' ', leaf(value));
  const words = ngettext('%(count)s value', '%(count)s values', size);
  const count = interpolate(words, { count: size.toLocaleString(language) });
  const branch = h('details', {}, h('summary', {}, name, ' ', h('span', { class: 'quiet' }, count)));
  branch.addEventListener('toggle', () => branch.children.length === 1 && branch.append(tree(value)));
  return h('li', {}, branch);
}

function leaf(value) {
  const text = typeof value === 'string' ? value || gettext('(empty)') : JSON.stringify(value);
  const type = kind(value).replace('/', '-');
  return h('span', { class: `value ${type}`, dir: 'auto' }, clipped(text, 'span', LONGEST_TEXT));
}

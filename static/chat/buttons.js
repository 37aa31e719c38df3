/** Small buttons, and the one that copies. */

import { h, icon } from './dom.js';
import { gettext } from './words.js';

export function button(label, symbol, onclick, attributes = {}) {
  return h('button', { type: 'button', class: 'small', onclick, ...attributes }, icon(symbol), label);
}

/** Copies what `textOf()` gives; `name` says to those who hear it what that is. */
export function copyButton(textOf, name) {
  const node = button(gettext('Copy'), 'copy', () => copied(node, textOf(), name), { 'aria-label': name });
  return node;
}

async function copied(node, text, name) {
  const say = (words, label) => {
    node.lastChild.textContent = words;
    if (name) node.setAttribute('aria-label', label);
  };
  try {
    await navigator.clipboard.writeText(text);
    say(gettext('Copied'), gettext('Copied'));
  } catch {
    say(gettext('Copying is not allowed here'), gettext('Copying is not allowed here'));
  }
  setTimeout(() => say(gettext('Copy'), name), 2000);
}

/** The dialog that shows what was attached to a message for those who look for faults: rows first, JSON on request. */

import { button, copyButton } from './buttons.js';
import { h, icon } from './dom.js';
import { clipped, tree } from './tree.js';
import { gettext } from './words.js';

/** Opens it, and asks `get` → a promise of an object. */
export function inspect(get) {
  const content = h('div', { class: 'content', role: 'status' });
  const bar = h('div', { class: 'bar' }, h('h2', { id: 'inspector' }, gettext('Debug data')));
  const dialog = h('dialog', { class: 'inspector', 'aria-labelledby': 'inspector', closedby: 'any' }, bar, content);
  const named = { class: 'plain', 'aria-label': gettext('Close') };
  const close = h('button', { type: 'button', ...named, onclick: () => dialog.close() }, icon('close'));
  bar.append(close);
  open(dialog);
  load(get, { bar, close, content });
}

// Escape is the dialog's as long as it is open: on the page it stops an answer or closes the frame.
function open(dialog) {
  const own = (event) => event.key === 'Escape' && event.stopPropagation();
  addEventListener('keydown', own, true);
  dialog.addEventListener('close', () => {
    removeEventListener('keydown', own, true);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

async function load(get, parts) {
  const { content } = parts;
  content.replaceChildren(h('p', { class: 'quiet' }, gettext('Loading…')));
  try {
    const data = await get();
    // What is no dictionary is shown as the one value of one.
    show(data !== null && typeof data === 'object' ? data : { debug: data }, parts);
  } catch {
    const again = button(gettext('Try again'), 'again', () => load(get, parts));
    const words = gettext('The debug data could not be loaded.');
    const fault = h('div', { class: 'fault' }, h('p', {}, h('b', {}, words)), h('p', { class: 'tools' }, again));
    content.replaceChildren(fault);
  }
}

function show(data, { bar, close, content }) {
  content.removeAttribute('role');
  const rows = Object.keys(data).length ? tree(data) : h('p', { class: 'quiet' }, gettext('There is nothing in it.'));
  const views = { rows: () => [rows], json: () => raw(data) };
  const turn = (name) => content.replaceChildren(...views[name]());
  bar.insertBefore(choice(turn), close);
  turn('rows');
}

function choice(turn) {
  const option = (name, words, checked) => h('label', {},
    h('input', { type: 'radio', name: 'inspector-view', value: name, checked, onchange: () => turn(name) }),
    h('span', {}, words));
  return h('fieldset', { class: 'views' },
    h('legend', { class: 'visually-hidden' }, gettext('Show as')),
    option('rows', gettext('Rows'), true),
    option('json', gettext('JSON'), false));
}

function raw(data) {
  const text = spelled(data);
  const copy = copyButton(() => text, gettext('Copy the JSON'));
  return [h('p', { class: 'tools' }, copy), ...clipped(text, 'pre')].filter(Boolean);
}

function spelled(data) {
  try {
    return JSON.stringify(data, null, 2);
  } catch {
    return gettext('This is nested too deeply to be shown as JSON.');
  }
}

/** A context as readable rows, with what changed marked by sign and word; and the card that shows one on demand. */

import { h } from './dom.js';
import { compare, kind, spell, summary } from './metadata.js';
import { gettext, interpolate } from './words.js';

/** What stands for values that another page or a server has set. */
export const UNKNOWN = gettext('This version was set elsewhere; this page does not know its values.');

const said = (word) => ({ added: gettext('added'), changed: gettext('changed'), removed: gettext('removed') })[word];
const shown = (value) => (typeof value === 'string' ? value || gettext('(empty)') : spell(value));

/** The marks of one change: a sign, the word, and what was there before. */
export function mark({ sign, word, before }, full = true) {
  const was = word === 'changed' && full ? [gettext(', was '), h('s', {}, shown(before))] : [];
  return h('span', { class: `mark ${word}` }, h('b', { 'aria-hidden': 'true' }, sign), ` ${said(word)}`, was);
}

/** Rows of `value`; with `before`, the rows that differ from it are marked and those it lost are listed. */
export function rows(value, before) {
  const changes = before ? compare(before, value) : [];
  const of = (key) => changes.find((change) => change.key === key);
  const kept = Object.entries(value).map(([key, part]) => row(key, part, of(key)));
  const removed = changes.filter(({ word }) => word === 'removed');
  const lost = removed.map((change) => row(change.key, change.before, change));
  return h('div', {},
    !kept.length && h('p', { class: 'quiet' }, gettext('Empty: the mentor is told nothing.')),
    kept.length + lost.length > 0 && h('dl', { class: 'rows' }, kept, lost));
}

function row(key, value, change) {
  const gone = change?.word === 'removed';
  const text = h(gone ? 's' : 'span', { class: `value ${kind(value).replace('/', '-')}` }, shown(value));
  return h('div', { class: change?.word }, h('dt', {}, key), h('dd', {}, text, change && mark(change)));
}

/** Changes in few words, "± changed stateCode CA → NY": at most `most` of them, and how many more. */
export function brief(before, after, most = 6) {
  const changes = compare(before, after);
  const shortly = changes.slice(0, most);
  const groups = ['changed', 'added', 'removed'].map((word) => shortly.filter((change) => change.word === word));
  const lines = groups.filter((group) => group.length).map((group) =>
    h('li', { class: group[0].word }, mark(group[0], false), group.map(item)));
  const more = changes.length - shortly.length;
  return h('ul', { class: 'brief' }, lines, more > 0 && h('li', {}, interpolate(gettext('and %(count)s more'), { count: more })));
}

function item({ key, word, before, after }) {
  return h('span', {},
    h('span', { class: 'key' }, key),
    word !== 'added' && h('s', {}, shown(before)),
    word === 'changed' && '→',
    word !== 'removed' && h('span', { class: 'value' }, shown(after)));
}

/** The one card that shows the snapshot of a message while its tag is hovered, focused or pressed. */
export class Card {
  constructor(node) {
    this.node = node;
    addEventListener('resize', () => this.hide());
    document.addEventListener('pointerdown', ({ target }) => target.closest('.tag, #card, #context') || this.hide());
  }

  get open() {
    return this.node.matches(':popover-open');
  }

  show(anchor, version, value, before) {
    const changes = value && before && version > 1 ? summary(compare(before, value)) : null;
    const content = [
      h('h3', {}, version ? interpolate(gettext('Context, version %(version)s'), { version }) : gettext('No context was set')),
      changes && h('p', { class: 'quiet' },
        interpolate(gettext('Against version %(version)s: %(changes)s.'), { version: version - 1, changes })),
      value ? rows(value, changes && before) : h('p', { class: 'quiet' }, UNKNOWN),
    ];
    this.#present(anchor, content.filter(Boolean));
  }

  /** Shows anything else under a title. */
  present(anchor, title, content) {
    this.#present(anchor, [h('h3', {}, title), content]);
  }

  hide() {
    if (this.open) this.node.hidePopover();
  }

  #present(anchor, content) {
    this.node.replaceChildren(...content);
    if (!this.open) this.node.showPopover();
    this.#place(anchor.getBoundingClientRect());
  }

  #place(tag) {
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const below = tag.bottom + 8 + height < innerHeight || tag.top < height + 8;
    this.node.style.left = `${Math.max(8, Math.min(tag.left, innerWidth - width - 8))}px`;
    this.node.style.top = `${Math.max(8, below ? tag.bottom + 4 : tag.top - height - 4)}px`;
  }
}

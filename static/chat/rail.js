/** The conversations that this browser keeps, in the rail. */

import { h, icon, time } from './dom.js';

const find = (id) => document.getElementById(id);

export class Rail {
  /** `go(session)` opens one; `forgotten(id)` is told when one is gone. */
  constructor(store, { go, forgotten }) {
    Object.assign(this, { store, go, forgotten });
    find('new').addEventListener('click', () => go(store.begin()));
  }

  show(open) {
    const entries = this.store.list().map((entry) => this.#entry(entry, entry.id === open.id));
    find('sessions').replaceChildren(...entries);
    find('no-sessions').hidden = entries.length > 0;
  }

  #entry({ id, title, at }, current) {
    const go = () => this.go(this.store.open(id));
    const forget = () => {
      this.store.forget(id);
      this.forgotten(id);
    };
    const name = { type: 'button', title, 'aria-current': current && 'true', onclick: go };
    const label = `Forget “${title}” in this browser`;
    const gone = { type: 'button', title: 'Forget', 'aria-label': label, onclick: forget };
    return h('li', { class: 'session' },
      h('button', name, h('span', {}, title), time(at)),
      h('button', { class: 'plain', ...gone }, icon('close')));
  }
}

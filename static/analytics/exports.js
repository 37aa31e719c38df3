/** Asks the API of exports for a file of what the page shows, and tells how far the files are. */

import { h, time } from '../chat/dom.js';

const API = '/api/v1/exports/';
const SHOWN = 8, PAUSE = 1500;
const WORDS = {
  requested: 'waiting for a worker', running: 'running', ready: 'ready', failed: 'failed',
  cancelled: 'cancelled', expired: 'removed',
};
const number = new Intl.NumberFormat('en');

export function exportsPanel(panel) {
  const form = panel.querySelector('form');
  if (form) new Exports(panel, form).begin();
  else fetch(`${API}?limit=1`).then((answer) => { panel.hidden = !answer.ok; });
}

class Exports {
  constructor(panel, form) {
    Object.assign(this, { panel, form, wish: JSON.parse(panel.querySelector('script').textContent) });
    this.list = panel.querySelector('#export-list');
    this.fault = panel.querySelector('#export-fault');
    this.said = panel.querySelector('#export-said');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.ask();
    });
  }

  /** Where the API is not there, the panel is not either. */
  async begin() {
    const answer = await fetch(this.address).catch(() => null);
    if (!answer || answer.status === 404) return;
    this.panel.hidden = false;
    if (location.hash === '#exports') this.panel.scrollIntoView();
    await this.show(answer);
  }

  get address() {
    return `${API}?${new URLSearchParams({ tenant: this.wish.tenant, limit: SHOWN })}`;
  }

  async ask() {
    const said = new FormData(this.form);
    const button = this.form.querySelector('button');
    button.disabled = true;
    await this.send(API, 'POST', {
      filter: { ...this.wish.filter, tenant: this.wish.tenant },
      format: said.get('format'),
      grain: said.get('grain'),
      context_keys: said.has('keys') ? this.wish.keys : [],
    });
    button.disabled = false;
  }

  /** What writes shows Django's token; what went wrong is told in the API's own sentence. */
  async send(address, method, body) {
    const headers = { 'X-CSRFToken': this.form.dataset.csrf, 'Content-Type': 'application/json' };
    const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    this.fault.hidden = Boolean(answer?.ok);
    this.fault.textContent = answer?.ok ? '' : told?.detail ?? 'The server could not be reached. Try again.';
    if (answer?.ok) await this.refresh();
  }

  async refresh() {
    const answer = await fetch(this.address).catch(() => null);
    if (answer?.ok) await this.show(answer);
    else this.later();
  }

  async show(answer) {
    const rows = answer.ok ? (await answer.json()).results : [];
    const focused = document.activeElement?.dataset?.export;
    this.list.replaceChildren(...(rows.length ? rows.map((row) => this.row(row)) : [
      h('li', { class: 'note' }, 'No export has been asked for yet.'),
    ]));
    if (focused) this.list.querySelector(`[data-export="${focused}"]`)?.focus();
    const newest = rows[0] ? `Newest export: ${WORDS[rows[0].state]}` : '';
    if (this.said.textContent !== newest) this.said.textContent = newest;
    if (rows.some(({ state }) => state === 'requested' || state === 'running')) this.later();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), PAUSE);
  }

  row(one) {
    const { rows, total, bytes } = one.progress;
    const under_way = one.state === 'running' || one.state === 'requested';
    return h('li', { class: one.state },
      h('b', {}, `${one.format.toUpperCase()} by ${one.grain}`),
      h('span', { class: `state ${one.state}` }, WORDS[one.state]),
      under_way && h('progress', { 'aria-label': 'Rows written', max: total || 1, value: one.state === 'running' ? rows : null }),
      h('span', { class: 'note' }, counted(rows, total, bytes, one.state)),
      one.error && h('span', { class: 'fault' }, one.error),
      h('span', { class: 'end' }, time(one.created_at)),
      one.download && h('a', { class: 'button', href: one.download, 'data-export': one.id }, 'Download'),
      under_way && h('button', {
        type: 'button', class: 'button', 'data-export': one.id,
        onclick: () => this.send(`${API}${one.id}/`, 'DELETE'),
      }, 'Cancel'));
  }
}

function counted(rows, total, bytes, state) {
  if (state === 'requested') return '';
  const of = state === 'running' && total ? ` of ${number.format(total)}` : '';
  return `${number.format(rows)}${of} rows${bytes ? `, ${size(bytes)}` : ''}`;
}

function size(bytes) {
  const [unit, divisor] = bytes < 1e6 ? ['kB', 1e3] : bytes < 1e9 ? ['MB', 1e6] : ['GB', 1e9];
  return `${(bytes / divisor).toFixed(bytes < divisor * 10 ? 1 : 0)} ${unit}`;
}

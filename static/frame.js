/** The frame: a conversation inside another site's page, which says where its user stands. */

import { Conversation } from './chat/conversation.js';
import { Card, rows } from './chat/snapshot.js';
import { contextOf, unsent } from './chat/turns.js';
import { gettext } from './chat/words.js';
import { Host } from './frame/host.js';
import { fragmentOf, parametersOf } from './frame/parameters.js';

const find = (id) => document.getElementById(id);
const { mentor, limits, origins } = JSON.parse(find('page').textContent);
const address = parametersOf(location.search);
const fragment = fragmentOf(location.hash);
// Where it is read it is taken out: an address is copied, and kept in histories.
if (fragment.token !== null) history.replaceState(null, '', location.pathname + location.search);

const OF_A_CONTEXT = new Set(['schema_violation', 'metadata_too_large']);

class Frame {
  #sentToken;

  constructor() {
    this.card = new Card(find('card'));
    this.host = new Host({
      origins,
      limits,
      on: {
        version: () => this.talk.session.version,
        pending: () => this.#news !== undefined || this.host.token !== undefined,
        changed: () => this.#changed(),
        newChat: () => this.#begin(),
        theme: (name) => this.#theme(name),
        focus: () => this.talk.prompt.focus(),
        closable: () => (find('close').hidden = false),
        opened: () => this.talk.wake(),
        forget: () => this.talk.forget(),
      },
    });
    this.talk = new Conversation(mentor, limits, {
      next: () => this.#next(),
      opened: (session) => this.#opened(session),
      changed: () => this.#changed(),
      started: (message) => this.#started(message),
      refused: (message) => this.#refused(message),
      ended: (message) => this.#told('mentor', message),
      tag: (event, message) => this.#tag(event, message),
    });
    this.#listen();
    // Behind a button that nobody has pressed yet there is nothing to connect for.
    if (!fragment.closed) this.talk.wake();
    const wrong = this.host.beginSigned(fragment.token);
    this.talk.open();
    const names = Object.keys(address.metadata ?? {});
    this.host.ready({ parameters: names, warnings: [...address.warnings, ...this.faults, ...wrong] });
  }

  /** What goes with the next message: metadata that the session was not told yet, and the page as it is now. */
  async #next() {
    await this.host.refreshed();
    const { page, include, id, token, tokenId } = this.host;
    const metadata = this.#news;
    const asked = [metadata === undefined ? undefined : id, token === undefined ? undefined : tokenId];
    this.#sentToken = token;
    const signed = token === undefined ? { page } : { page, signed: token, asked };
    return metadata === undefined ? signed : { ...signed, metadata, include, asked };
  }

  /** The page's metadata, as long as the session was not told, nor is being told. */
  get #news() {
    const { metadata } = this.host;
    const { session } = this.talk;
    const told = unsent(session)?.metadata ?? session.told;
    return metadata === told ? undefined : metadata;
  }

  #begin() {
    this.talk.begin();
  }

  #opened(session) {
    // The address speaks of the session that it begins, and the page's own word counts before it.
    this.faults = session.messages.length ? [] : this.host.begin(address.metadata);
  }

  #started(message) {
    const { session } = this.talk;
    if (message.metadata !== undefined) session.told = message.metadata;
    if (message.wasSigned) this.host.spent(this.#sentToken);
    if (message.metadata !== undefined || message.wasSigned) {
      this.#stored(message, { applied: true, changed: message.changed, warnings: message.warnings });
    } else if (message.warnings?.length) {
      this.#stored(message, { applied: true, changed: false, warnings: message.warnings });
    }
    this.#told('user', message);
  }

  #refused(message) {
    const { error } = message;
    // What was refused would be refused again, and with it every message of its user: the page says another.
    if (error.code.startsWith('token_') || OF_A_CONTEXT.has(error.code)) this.host.spent(message.signed);
    if (OF_A_CONTEXT.has(error.code)) this.host.refused(message.metadata);
    if (message.metadata === undefined && message.signed === undefined) return;
    const faults = error.details.map((detail) => ({ code: error.code, ...detail }));
    this.#stored(message, { applied: false, changed: false, warnings: faults });
  }

  #stored({ asked }, outcome) {
    const { version } = this.talk.session;
    const ids = [...new Set([asked].flat())].filter((id) => id !== undefined && id !== null);
    for (const id of ids.length ? ids : [undefined]) {
      this.host.tell({ type: 'mentor:context-stored', ...(id === undefined ? {} : { id }), version, ...outcome });
    }
  }

  #told(role, { status, version }) {
    this.host.tell({ type: 'mentor:message', role, status: status ?? 'complete', version });
  }

  #changed() {
    if (!mentor.show_context || !this.talk) return;
    const value = this.#known();
    const keys = Object.keys(value);
    find('context').hidden = !keys.length;
    find('context-words').textContent = keys.map((key) => `${key}: ${short(value[key])}`).join(' · ');
  }

  /** What the mentor will know with the next message. */
  #known() {
    const { session } = this.talk;
    const news = this.#news;
    return news === undefined ? (contextOf(session, session.version) ?? {}) : JSON.parse(news);
  }

  #tag(event, message) {
    if (!message) return this.card.hide();
    const context = (number) => contextOf(this.talk.session, number);
    this.card.show(event.currentTarget, message.version, context(message.version), context(message.version - 1));
  }

  #theme(name) {
    if (name === 'light' || name === 'dark') document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  }

  #listen() {
    find('new').addEventListener('click', () => this.#begin());
    find('close').addEventListener('click', () => this.host.tell({ type: 'mentor:close' }));
    find('context').addEventListener('click', ({ currentTarget }) => {
      const title = gettext('What the mentor knows');
      if (this.card.open) this.card.hide();
      else this.card.present(currentTarget, title, rows(this.#known()));
    });
    addEventListener('keydown', ({ key }) => key === 'Escape' && this.#escape());
  }

  #escape() {
    if (this.card.open) this.card.hide();
    else if (this.talk.busy) this.talk.stop();
    else this.host.tell({ type: 'mentor:close' });
  }
}

function short(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

new Frame();

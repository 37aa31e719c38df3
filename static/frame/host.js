/**
 * The page around the frame: what it says counts from the parent window only, at an origin of the mentor's list, and
 * is always answered to that very origin. docs/integrators/embed.md has every message.
 */

import { metadataOf, tokenOf } from './json.js';
import { allows } from './origins.js';
import { cut, MOST_HTML, textOf } from './page-text.js';

const PROTOCOL = 1;
const REFRESHED_WITHIN = 2_000;
const LONGEST_TOKEN = 256 * 1024;

const NOTHING = { metadata: undefined, include: undefined, id: undefined, token: undefined, tokenId: undefined };

export class Host {
  #origin = null;
  #raw = '';
  #title = '';
  #text = null;
  #refreshes = false;
  #waiting = new Map();
  #asked = 0;
  #strange = new Set();

  /** `on`: version(), pending(), changed(), newChat(), theme(name), focus(), closable(), opened(), forget(). */
  constructor({ origins, limits, on }) {
    Object.assign(this, { origins, limits, on, ...NOTHING });
    addEventListener('message', (event) => this.#hear(event));
  }

  /** Tells whoever may be there that from now on it is heard. */
  ready(more) {
    if (parent === window) return;
    const message = { type: 'mentor:ready', version: PROTOCOL, ...more };
    for (const origin of this.#likely()) parent.postMessage(message, origin);
  }

  tell(message) {
    if (this.#origin) parent.postMessage(message, this.#origin);
  }

  /** A token stands in the address's fragment, which no server sees. → what is wrong with it. */
  beginSigned(sent) {
    const { token, faults } = tokenOf(sent, LONGEST_TOKEN);
    this.token ??= token;
    return faults ?? [];
  }

  /** The token has gone with a message, or cannot. */
  spent(token) {
    if (this.token === token) this.token = undefined;
  }

  /** The server does not take this metadata: what is in force stays, until the page says something else. */
  refused(text) {
    if (text !== undefined && this.metadata === text) this.metadata = undefined;
  }

  /** What the address brought, for a session that the page says nothing about. */
  begin(metadata) {
    const { text, faults } = metadataOf(metadata, this.limits.metadata_bytes);
    this.metadata ??= text;
    return faults ?? [];
  }

  /** Resolves when the page has brought its context up to date, or does not in time. */
  refreshed() {
    if (!this.#refreshes) return null;
    const id = (this.#asked += 1);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      setTimeout(() => this.#refreshed(id), REFRESHED_WITHIN);
      this.tell({ type: 'mentor:before-send', id });
    });
  }

  /** The page's title, address and text; read out of its HTML only when a message takes it along. */
  get page() {
    this.#text ??= cut([this.#title, textOf(this.#raw)].filter(Boolean).join('\n\n'), this.limits.page_content_bytes);
    return this.#text;
  }

  #likely() {
    const referrer = document.referrer && new URL(document.referrer).origin;
    const known = location.ancestorOrigins?.[0] ?? referrer;
    if (known) return allows(this.origins, known) || known === location.origin ? [known] : [];
    return this.origins.filter((origin) => !origin.includes('*'));
  }

  #hear({ source, origin, data }) {
    if (source !== parent || parent === window) return;
    if (origin !== location.origin && !allows(this.origins, origin)) return;
    const message = decoded(data);
    if (!message) return;
    this.#origin = origin;
    this.#obey(message);
  }

  #obey(message) {
    const { type } = message;
    if (type === 'context') return this.#context(message, message.page_content ?? message.data);
    if (type === 'MENTOR:CONTEXT_UPDATE') return this.#context(message, message.pageContent, message.hostInfo);
    if (type === 'MENTOR:THEME_CHANGE' || (type === undefined && 'theme' in message)) return this.on.theme(message.theme);
    if (type === 'MENTOR:NEW_CHAT') return this.on.newChat();
    if (type === 'MENTOR:PROMPT_FOCUS') return this.on.focus();
    if (type === 'mentor:hello') return this.#hello(message);
    if (type === 'mentor:start') return this.#start(message);
    if (type === 'mentor:forget') return this.#forget();
    if (type === 'mentor:opened') return this.on.opened();
    if (type === 'mentor:before-sent') return this.#refreshed(message.id);
    return this.#ignored(type);
  }

  #context(message, page, info) {
    const { text, token, faults } = this.#read(message);
    const warnings = [...(faults ?? []), ...this.#paged(page, info)];
    if (!faults) this.#keep(message, text, token);
    this.#acknowledge(message, !faults, warnings);
    if (!faults && text !== undefined) this.on.changed();
  }

  // Both or neither: what is wrong with one of them is wrong with the message.
  #read({ metadata, metadata_token: sent }) {
    const { text, faults } = metadataOf(metadata, this.limits.metadata_bytes);
    const { token, faults: wrong } = tokenOf(sent, LONGEST_TOKEN);
    return { text, token, faults: faults || wrong ? [...(faults ?? []), ...(wrong ?? [])] : undefined };
  }

  #keep({ id }, text, token) {
    if (text !== undefined) Object.assign(this, { metadata: text, id });
    if (token !== undefined) Object.assign(this, { token, tokenId: id });
  }

  // Kept as it came: one that comes every second is read only when a message goes out.
  #paged(page, info) {
    if (page === undefined || page === null) return [];
    if (typeof page !== 'string') return [warning('invalid_page_content', 'Page content must be text.')];
    const title = titleOf(info);
    if (page.length !== this.#raw.length || title !== this.#title || page !== this.#raw) this.#text = null;
    this.#raw = page.length > MOST_HTML ? page.slice(0, MOST_HTML) : page;
    this.#title = title;
    const words = `Of the page's ${page.length} characters the first ${MOST_HTML} are read.`;
    return page.length > MOST_HTML ? [warning('page_content_cut', words)] : [];
  }

  #hello({ before_send: refreshes, closable }) {
    this.#refreshes = refreshes === true;
    if (closable === true) this.on.closable();
    this.tell({ type: 'mentor:ready', version: PROTOCOL });
  }

  #start(message) {
    const { text, token, faults } = this.#read(message);
    const { include_metadata_in_prompt: include } = message;
    if (!faults) {
      Object.assign(this, { metadata: text, id: message.id });
      this.#keep(message, text, token);
      this.include = typeof include === 'boolean' ? include : undefined;
      this.on.newChat();
    }
    this.#acknowledge(message, !faults, faults ?? []);
  }

  // Whoever signs out leaves nothing behind for who signs in next.
  #forget() {
    Object.assign(this, NOTHING);
    this.#raw = this.#title = '';
    this.#text = null;
    this.on.forget();
  }

  #acknowledge({ id }, applied, warnings) {
    const told = { applied, version: this.on.version(), pending: this.on.pending(), warnings };
    this.tell({ type: 'mentor:context-ack', ...(id === undefined ? {} : { id }), ...told });
  }

  #refreshed(id) {
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }

  // Once a kind: an element that says the same every second is not answered every second.
  #ignored(type) {
    if (typeof type !== 'string' || this.#strange.has(type) || this.#strange.size > 50) return;
    this.#strange.add(type);
    this.tell({ type: 'mentor:ignored', ignored: type.slice(0, 100) });
  }
}

function decoded(data) {
  let message = data;
  if (typeof data === 'string') {
    try {
      message = JSON.parse(data);
    } catch {
      return null;
    }
  }
  return message && typeof message === 'object' && !Array.isArray(message) ? message : null;
}

// Without its query: what stands there is often a secret.
function titleOf(info) {
  const { title, href } = info && typeof info === 'object' ? info : {};
  const url = typeof href === 'string' && URL.canParse(href) ? new URL(href) : null;
  const parts = [typeof title === 'string' && title.slice(0, 300), url && `${url.origin}${url.pathname}`];
  return parts.filter(Boolean).join('\n');
}

function warning(code, message) {
  return { code, pointer: '/page_content', message };
}

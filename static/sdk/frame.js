/** One mentor's frame in a page: what the page says reaches it, whenever it says it, and is answered for. */

const LATE = 500;

export class Frame {
  #listeners = new Map();
  #asked = 0;
  #metadata = null;
  #page = null;
  #sentPage;
  #hook = null;
  #settled = new Map();
  #ready = false;
  #gone = false;
  #early = [];

  /** `place` is an element that the frame fills; options as index.d.ts has them. */
  constructor(options, place) {
    this.options = options;
    this.mentor = options.mentor;
    this.origin = new URL(options.url, location.href).origin;
    this.hear = (event) => this.#hear(event);
    addEventListener('message', this.hear);
    if (options.beforeSend) this.#hook = options.beforeSend;
    if (options.pageContent !== undefined) this.#page = options.pageContent;
    if (options.metadata !== undefined) this.setMetadata(options.metadata);
    if (options.metadataToken) this.setMetadataToken(options.metadataToken);
    if (place) this.load(place);
  }

  /** The frame, in an element of the page. */
  load(place, more = '') {
    this.iframe = document.createElement('iframe');
    this.iframe.title = this.options.title ?? 'Mentor';
    this.iframe.allow = 'clipboard-write';
    this.iframe.src = this.#address() + more;
    for (const [name, value] of Object.entries({ width: '100%', height: '100%', border: '0', display: 'block' })) {
      this.iframe.style[name] = value;
    }
    // One that may not know whose page it is on, and so to whom it is ready, answers.
    this.iframe.addEventListener('load', () => setTimeout(() => {
      if (!this.#ready) this.iframe.contentWindow?.postMessage({ type: 'mentor:hello' }, this.origin);
    }, LATE));
    place.append(this.iframe);
  }

  /**
   * What the mentor is to know: any object; {} clears it, null changes nothing. → a promise of what became of it,
   * {applied, version, warnings, pending, stored}; `stored` is a promise of what the server made of it, once it went
   * with a message.
   */
  setMetadata(metadata) {
    const changes = metadata !== null && metadata !== undefined;
    const { id, outcome, copy } = this.#call(metadata, changes);
    if (!this.#settled.has(id)) return outcome;
    if (changes) {
      if (!this.#ready) this.#replaced(this.#metadata?.id);
      // A conversation that was asked for and has not begun yet begins with what is said last.
      const { start, include } = this.#metadata ?? {};
      this.#metadata = { id, metadata: copy, start, include };
    }
    if (this.#ready || !changes) this.#post({ type: 'context', id, metadata: copy });
    return outcome;
  }

  /**
   * What the page's back end has signed: a token for one conversation, which goes with its next message. → a promise
   * of what became of it, as of setMetadata.
   */
  setMetadataToken(token) {
    const { id, outcome, copy } = this.#call(token, true, 'token');
    if (this.#settled.has(id)) this.#post({ type: 'context', id, metadata_token: copy });
    return outcome;
  }

  /** The page's text: a string of text or HTML, an element, or a function that gives either when a message is sent. */
  setPageContent(content) {
    this.#page = content;
    if (this.#ready) this.#hello();
    if (this.#ready && typeof content === 'string') this.#tellPage();
  }

  /** `hook({setMetadata, setMetadataToken, setPageContent})` runs before each message is sent, and is waited for, up to two seconds. */
  beforeSend(hook) {
    this.#hook = hook;
    if (this.#ready) this.#hello();
  }

  /** A new conversation that knows this, and nothing of the one before. */
  start(metadata, include) {
    const { id, outcome, copy } = this.#call(metadata);
    if (!this.#settled.has(id)) return outcome;
    if (!this.#ready) this.#replaced(this.#metadata?.id);
    this.#metadata = { id, metadata: copy, start: true, include };
    if (this.#ready) this.#tellMetadata();
    return outcome;
  }

  newChat() {
    this.#post({ type: 'MENTOR:NEW_CHAT' });
  }

  /** The frame is seen from now on: it connects. */
  wake() {
    this.#post({ type: 'mentor:opened' });
  }

  /** The frame forgets every conversation with this mentor: for when a user signs out. */
  forget() {
    this.#metadata = null;
    for (const id of [...this.#settled.keys()]) this.#replaced(id);
    this.#post({ type: 'mentor:forget' });
  }

  focus() {
    this.#post({ type: 'MENTOR:PROMPT_FOCUS' });
  }

  /** "light", "dark", or anything else for the system's. */
  setTheme(theme) {
    this.options.theme = theme;
    this.#post({ type: 'MENTOR:THEME_CHANGE', theme });
  }

  /** Without a bubble there is nothing to open or to close. */
  open() {
    this.focus();
  }

  close() {
    this.emit('close');
  }

  toggle() {
    this.focus();
  }

  /** ready, open, close, message, context, error. → a function that ends it. */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? this.#listeners.set(event, new Set()).get(event);
    listeners.add(listener);
    if (event === 'ready' && this.#ready) heard(listener, {});
    return () => this.off(event, listener);
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  emit(event, detail = {}) {
    for (const listener of this.#listeners.get(event) ?? []) heard(listener, detail);
  }

  /** Whether it was destroyed: what is said to it then is answered, and changes nothing. */
  get gone() {
    return this.#gone;
  }

  destroy() {
    this.#gone = true;
    removeEventListener('message', this.hear);
    this.iframe?.remove();
    for (const id of [...this.#settled.keys()]) this.#replaced(id);
  }

  // With a copy of the metadata as it now is; settled at once where there is nobody to tell, or nothing that could be.
  #call(metadata, changes = true, kind = 'metadata') {
    const id = (this.#asked += 1);
    const kept = deferred();
    const stored = deferred();
    this.#settled.set(id, { kept, stored, changes, kind });
    let copy;
    try {
      copy = structuredClone(metadata);
    } catch (error) {
      this.#acknowledged(id, refusal(error));
    }
    if (this.#gone) this.#replaced(id);
    return { id, copy, outcome: kept.promise.then((told) => ({ ...told, stored: stored.promise })) };
  }

  #address() {
    const { url, tenant, mentor, theme, lang, parameters } = this.options;
    const home = new URL(url, location.href);
    const names = [tenant, mentor].map(encodeURIComponent);
    const address = new URL(`embed/${names.join('/')}/`, home.href.endsWith('/') ? home : `${home}/`);
    for (const [name, value] of Object.entries(parameters ?? {})) address.searchParams.set(`meta.${name}`, value);
    if (theme) address.searchParams.set('theme', theme);
    if (lang) address.searchParams.set('lang', lang);
    return address.href;
  }

  // What comes before the frame is there is said when it is.
  #post(message) {
    if (this.#ready) this.iframe.contentWindow?.postMessage(message, this.origin);
    else this.#early.push(message);
  }

  #hear({ source, origin, data }) {
    if (!this.iframe || source !== this.iframe.contentWindow || origin !== this.origin) return;
    const { type, id, ...told } = data ?? {};
    // A greeting is answered without the parameters of the address: that is no other frame.
    if (type === 'mentor:ready' && (told.parameters || !this.#ready)) this.#greet(told);
    if (type === 'mentor:context-ack') this.#acknowledged(id, told);
    if (type === 'mentor:context-stored') this.#stored(id, told);
    if (type === 'mentor:message') this.emit('message', told);
    if (type === 'mentor:close') this.close();
    if (type === 'mentor:before-send') this.#refresh(id);
    if (type === 'mentor:ignored') this.emit('error', { code: 'ignored', message: `The frame knows no ${told.ignored}.` });
  }

  // A frame may load more than once: the page's word is given to each.
  #greet(told) {
    const first = !this.#ready;
    const early = this.#early.splice(0);
    const forgets = ({ type }) => type === 'mentor:forget';
    this.#ready = true;
    this.#sentPage = undefined;
    // Before what the page said after it: that is to stay.
    early.filter(forgets).forEach((message) => this.#post(message));
    this.#hello();
    this.#tellMetadata();
    try {
      this.#tellPage();
    } catch (error) {
      this.emit('error', { code: 'page_content_failed', message: String(error) });
    }
    early.filter((message) => !forgets(message)).forEach((message) => this.#post(message));
    if (first) this.emit('ready', told);
  }

  #hello() {
    const refreshes = Boolean(this.#hook) || (this.#page !== null && typeof this.#page !== 'string');
    this.#post({ type: 'mentor:hello', before_send: refreshes, closable: this.closable === true });
  }

  #tellMetadata() {
    if (!this.#metadata) return;
    const { id, metadata, start, include } = this.#metadata;
    const how = start ? { type: 'mentor:start', include_metadata_in_prompt: include } : { type: 'context' };
    this.#metadata = { id, metadata };
    this.#post({ ...how, id, metadata });
  }

  // Only when it changed: a page may say every second what it is.
  #tellPage() {
    const text = textOf(this.#page);
    if (text === null || text === this.#sentPage) return;
    this.#sentPage = text;
    this.#post({ type: 'context', page_content: text });
  }

  async #refresh(id) {
    try {
      const given = await this.#hook?.({
        setMetadata: (metadata) => this.setMetadata(metadata),
        setMetadataToken: (token) => this.setMetadataToken(token),
        setPageContent: (content) => this.setPageContent(content),
      });
      if (given?.metadata !== undefined) this.setMetadata(given.metadata);
      if (given?.metadataToken) this.setMetadataToken(given.metadataToken);
      if (given?.pageContent !== undefined) this.#page = given.pageContent;
      this.#tellPage();
    } catch (error) {
      this.emit('error', { code: 'before_send_failed', message: String(error) });
    }
    this.#post({ type: 'mentor:before-sent', id });
  }

  #acknowledged(id, told) {
    const call = this.#settled.get(id);
    if (!call) return;
    call.kept.resolve(told);
    if (told.applied && call.changes) {
      this.#supersede(id, call.kind);
      if (told.pending) return;
    }
    call.stored.resolve({ ...told, changed: false });
    this.#settled.delete(id);
  }

  // Of several that wait for a message, the latest goes.
  #supersede(id, kind) {
    for (const [earlier, call] of [...this.#settled]) if (earlier < id && call.kind === kind) this.#replaced(earlier);
  }

  #stored(id, told) {
    this.emit('context', told);
    this.#settled.get(id)?.stored.resolve(told);
    this.#settled.delete(id);
  }

  #replaced(id) {
    const call = this.#settled.get(id);
    const told = { applied: false, version: null, changed: false, warnings: [], replaced: true };
    call?.kept.resolve({ ...told, pending: false });
    call?.stored.resolve(told);
    this.#settled.delete(id);
  }
}

function heard(listener, detail) {
  try {
    listener(detail);
  } catch (error) {
    reportError(error);
  }
}

// What cannot be copied to another window is no JSON.
function refusal(error) {
  const warnings = [{ code: 'invalid_metadata', pointer: '/metadata', message: String(error) }];
  return { applied: false, version: null, pending: false, warnings };
}

function textOf(content) {
  const given = typeof content === 'function' ? content() : content;
  if (given === null || given === undefined) return null;
  return given instanceof Element ? given.innerHTML : String(given);
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

/** A conversation with one mentor, whatever page it is on: the socket, the session, what was said, the message box. */

import { bytes, refreshTimes } from './dom.js';
import { sentence } from './faults.js';
import { follow, subscribeFrame } from './follow.js';
import { announce, Status } from './status.js';
import { blank, Store } from './store.js';
import { Transcript } from './transcript.js';
import * as turns from './turns.js';
import { Wire } from './wire.js';
import { gettext, interpolate } from './words.js';

const find = (id) => document.getElementById(id);

// The server acknowledges before it asks the model; a model may take its time for a first word.
const ACKNOWLEDGED_WITHIN = 10_000;
const SILENT_AT_MOST = 60_000;
const ASK_AGAIN_AFTER = 2_000;
const LISTEN_AGAIN_AFTER = 1_000;
// A session that these refuse cannot be continued from here.
const LOST = ['not_found', 'authentication_failed', 'authentication_required'];

export class Conversation {
  #wire;
  #awake = false;
  #stopWanted = false;
  #preparing = false;
  #listening = false;
  #due = new Set();

  /**
   * `page` says what belongs to the page around it:
   * next() → {metadata, error, page, include} or a promise of it: what goes with the next message;
   * opened(session), changed(), started(message), refused(message), ended(message), corrected(error),
   * tag(event, message), happened(event).
   */
  constructor(mentor, limits, page) {
    Object.assign(this, { mentor, limits, page });
    this.store = new Store(mentor);
    this.status = new Status();
    this.prompt = find('prompt');
    this.transcript = new Transcript(find('transcript'), find('scroller'), find('latest'), {
      mentor,
      on: {
        again: (message) => this.#again(message),
        edit: (message) => this.#edit(message),
        anew: (message) => this.#anew(message),
        tag: (event, message) => page.tag?.(event, message),
        load: (message) => this.#debugData(message),
      },
    });
    this.#listen();
    setInterval(refreshTimes, 30_000);
  }

  /** Shows a session and connects for it; a turn that runs in the one before goes on without us. */
  open(session = this.store.open()) {
    const first = !this.session;
    this.#wire?.close();
    this.session = session;
    this.#stopWanted = false;
    // What was typed before this script had loaded is kept.
    this.#type(session.prompt || (first ? this.prompt.value : ''));
    this.transcript.show(session);
    this.page.opened?.(session);
    this.changed();
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#wire = new Wire(`${scheme}://${location.host}/ws/chat/`, {
      heard: (frame) => this.#heard(frame),
      opened: () => this.#opened(),
      changed: (link, seconds) => {
        this.status.linked(link, seconds);
        this.status.show(this.session);
      },
    });
    if (this.#awake) this.#wire.connect();
    else this.status.linked('asleep');
    this.status.show(this.session);
  }

  /** Connects from now on; before, sessions are only shown. */
  wake() {
    if (!this.#awake && this.session) this.#wire.connect();
    this.#awake = true;
  }

  /** Every conversation with this mentor is gone from this browser, and a new one begins. */
  forget() {
    this.store.forgetAll();
    this.session.messages = [];
    this.open(this.store.begin());
  }

  begin() {
    this.open(this.store.begin());
    this.prompt.focus();
  }

  async send() {
    const text = this.prompt.value.trim();
    if (!text || this.busy || this.#preparing) return;
    const most = this.limits.prompt_bytes;
    if (bytes(text) > most) {
      const words = gettext('Please shorten this: it is over %(most)s bytes.');
      return this.status.say(interpolate(words, { most }), 'fault');
    }
    const next = await this.#prepared();
    if (next.error) return this.page.corrected?.(next.error);
    // The page may have begun another conversation meanwhile: that is the one it is said in.
    const message = turns.compose(this.session, text, next);
    this.#type('');
    this.transcript.update(message);
    this.#transmit(message);
    // Not before the starters above it are gone.
    this.transcript.settle(message);
    this.page.sent?.(message);
  }

  stop() {
    const answer = turns.running(this.session);
    const sent = answer && this.#wire.send(turns.stopFrame(this.session, answer));
    // Without a generation or a connection yet, it is asked as soon as there is one.
    this.#stopWanted = !sent && this.busy;
    this.prompt.focus();
  }

  get busy() {
    return Boolean(turns.unsent(this.session) ?? turns.running(this.session));
  }

  /** Brings what depends on the session's state up to date, and keeps it. */
  changed() {
    const { messages } = this.session;
    this.store.save(this.session);
    find('send').hidden = this.busy;
    find('stop').hidden = !this.busy;
    find('opening').hidden = messages.length > 0 && !this.mentor.greeting_text;
    find('starters').hidden = messages.length > 0;
    this.status.show(this.session);
    this.page.changed?.();
  }

  // A host that refreshes its context is waited for: meanwhile nothing else may be sent.
  async #prepared() {
    this.#preparing = true;
    try {
      return await this.page.next();
    } finally {
      this.#preparing = false;
    }
  }

  #transmit(message) {
    this.wake();
    if (this.#wire.send(turns.frameOf(this.session, this.mentor, message))) this.#wire.expect(ACKNOWLEDGED_WITHIN);
    this.changed();
  }

  #opened() {
    this.#listening = false;
    this.#recover();
    this.#listenIn();
  }

  // From the first message on there is a session; whoever else writes in it is heard here too.
  #listenIn() {
    if (this.#listening || !turns.confirmed(this.session)) return;
    this.#listening = this.#wire.send(subscribeFrame(this.session));
  }

  // After every connection: what was not acknowledged goes again under its id, what runs goes on where it broke off.
  #recover() {
    const message = turns.unsent(this.session);
    const answer = turns.running(this.session);
    if (message) this.#transmit(message);
    else if (answer) this.#resume(answer);
  }

  #resume(answer) {
    if (turns.running(this.session) !== answer) return;
    if (this.#wire.send(turns.resumeFrame(this.session, answer))) this.#wire.expect(ACKNOWLEDGED_WITHIN);
    if (this.#stopWanted) this.stop();
  }

  #heard(frame) {
    if ('subscribe' in frame) return; // it may not be listened to; one can still talk in it
    if ('subscribed' in frame || 'unsubscribed' in frame) return this.#subscribed(frame);
    if ('session_id' in frame) return this.#happened(frame);
    if (frame.code === 'draining' && turns.unsent(this.session)) return this.#wire.again();
    const { kind, message } = turns.apply(this.session, frame);
    if (kind === 'ignored') return;
    if (kind === 'started') this.#started(message);
    if (kind === 'refused') this.#refused(message);
    if (kind === 'restored') setTimeout(() => this.#resume(message), ASK_AGAIN_AFTER);
    if (kind === 'ended') this.#ended(message);
    if (turns.running(this.session)) this.#wire.expect(SILENT_AT_MOST);
    this.#draw(message);
    if (kind === 'data') this.status.show(this.session);
    else this.changed();
  }

  #subscribed({ subscribed, unsubscribed, after }) {
    if (subscribed === this.session.id) this.session.place ??= after;
    if (unsubscribed !== this.session.id) return;
    this.#listening = false;
    setTimeout(() => this.#listenIn(), LISTEN_AGAIN_AFTER);
  }

  #happened(event) {
    if (event.session_id !== this.session.id) return;
    const { changed, removed } = follow(this.session, event);
    for (const message of removed) this.transcript.remove(message);
    for (const message of changed) this.#draw(message);
    this.changed();
    this.page.happened?.(event);
  }

  // For those whom the server told that there are some: staff who are signed in, by their cookie.
  async #debugData({ id, generation }) {
    const path = `/api/v1/sessions/${this.session.id}/messages/${id ?? generation}/debug_data/`;
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return (await answer.json()).debug_data;
  }

  #started(message) {
    this.#listenIn();
    this.page.started?.(message);
    const answer = turns.running(this.session);
    if (answer) this.#draw(answer);
    if (this.#stopWanted) this.stop();
  }

  #refused(message) {
    this.#stopWanted = false;
    // The very first acknowledgement may be lost together with the session's token: nothing hangs on that session.
    const unborn = !turns.confirmed(this.session) && !message.renewed;
    if (unborn && LOST.includes(message.error.code)) return this.#renew(message);
    this.page.refused?.(message);
    announce(`${gettext('Not sent.')} ${sentence(message.error)}`);
  }

  #renew(message) {
    this.store.forget(this.session.id);
    Object.assign(this.session, { id: blank().id, token: null });
    Object.assign(message, { state: 'sending', error: undefined, renewed: true });
    this.#transmit(message);
  }

  #ended(message) {
    const said = { complete: gettext('%(mentor)s answered.'), stopped: gettext('%(mentor)s was stopped.') };
    const words = said[message.status] ?? gettext('%(mentor)s could not finish.');
    const lead = interpolate(words, { mentor: this.mentor.name });
    this.session.elsewhere = false;
    announce([lead, message.error && sentence(message.error), message.text.slice(0, 1500)].filter(Boolean).join(' '));
    this.page.ended?.(message);
  }

  // Frames that arrive between two pictures are drawn together.
  #draw(message) {
    if (!this.#due.size) requestAnimationFrame(() => this.#drawDue());
    this.#due.add(message);
  }

  #drawDue() {
    const due = [...this.#due].filter((message) => this.session.messages.includes(message));
    this.#due.clear();
    for (const message of due) this.transcript.update(message);
  }

  /** Asks a refused message, or the question of an answer that failed, once more: with the metadata as it is now. */
  async #again(message) {
    if (this.busy) return;
    const { messages } = this.session;
    const asked = messages.slice(0, messages.indexOf(message) + 1).findLast(({ role }) => role === 'user');
    if (message === asked) this.#withdraw(message);
    const halfWritten = this.prompt.value;
    this.#type(asked.text);
    await this.send();
    if (!this.prompt.value) this.#type(halfWritten);
  }

  #edit(message) {
    this.#withdraw(message);
    this.#type([message.text, this.prompt.value].filter(Boolean).join('\n\n'));
    this.prompt.focus();
    this.changed();
  }

  #anew(message) {
    this.#withdraw(message);
    this.store.save(this.session);
    this.open({ ...this.store.begin(), prompt: message.text });
    this.page.anew?.(message);
    this.prompt.focus();
  }

  #withdraw(message) {
    this.session.messages.splice(this.session.messages.indexOf(message), 1);
    this.transcript.remove(message);
  }

  #type(text) {
    this.prompt.value = this.session.prompt = text;
    this.prompt.style.height = 'auto';
    this.prompt.style.height = `${this.prompt.scrollHeight}px`;
  }

  #listen() {
    find('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    find('stop').addEventListener('click', () => this.stop());
    for (const starter of find('starters').children) {
      starter.addEventListener('click', () => this.#start(starter.textContent));
    }
    this.prompt.addEventListener('input', () => this.#type(this.prompt.value));
    this.prompt.addEventListener('keydown', (event) => this.#key(event));
    addEventListener('pagehide', () => this.store.save(this.session));
  }

  #start(text) {
    this.#type(text.trim());
    this.send();
    this.prompt.focus();
  }

  #key(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }
}

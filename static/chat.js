/** The chat page: puts the socket, the session, the conversation and the context panel together. */

import { bytes, refreshTimes } from './chat/dom.js';
import { Drawers } from './chat/drawers.js';
import { examplesFor } from './chat/examples.js';
import { Panel } from './chat/panel.js';
import { Rail } from './chat/rail.js';
import { Card } from './chat/snapshot.js';
import { announce, Status } from './chat/status.js';
import { blank, Store } from './chat/store.js';
import { themeButton } from './chat/theme-button.js';
import { Transcript } from './chat/transcript.js';
import * as turns from './chat/turns.js';
import { Wire } from './chat/wire.js';

const find = (id) => document.getElementById(id);
const page = JSON.parse(find('page').textContent);
const mentor = page.mentors.find(({ tenant, slug }) => tenant === page.chosen?.tenant && slug === page.chosen.slug);

// The server acknowledges before it asks the model; a model may take its time for a first word.
const ACKNOWLEDGED_WITHIN = 10_000;
const SILENT_AT_MOST = 60_000;
const ASK_AGAIN_AFTER = 2_000;
// A session that these refuse cannot be continued from here.
const LOST = ['not_found', 'authentication_failed', 'authentication_required'];

class Chat {
  #wire;
  #stopWanted = false;
  #due = new Set();

  constructor() {
    this.store = new Store(mentor);
    this.card = new Card(find('card'));
    this.drawers = new Drawers(find('app'));
    this.status = new Status();
    this.prompt = find('prompt');
    this.rail = new Rail(this.store, { go: (session) => this.#go(session), forgotten: (id) => this.#forgotten(id) });
    this.panel = new Panel({
      limit: page.limits.metadata_bytes,
      examples: examplesFor(mentor.slug),
      changed: () => this.#changed(),
    });
    this.transcript = new Transcript(find('transcript'), find('scroller'), find('latest'), {
      mentor,
      on: {
        again: (message) => this.#again(message),
        edit: (message) => this.#edit(message),
        anew: (message) => this.#anew(message),
        tag: (event, message) => this.#tag(event, message),
      },
    });
    this.#listen();
    this.open(this.store.open());
    setInterval(refreshTimes, 30_000);
  }

  /** Shows a session and connects for it; a turn that runs in the one before goes on without us. */
  open(session) {
    this.#wire?.close();
    this.session = session;
    this.#stopWanted = false;
    this.#type(session.prompt ?? '');
    this.transcript.show(session);
    this.panel.show(session);
    this.panel.warn([]);
    this.rail.show(session);
    this.#changed();
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#wire = new Wire(`${scheme}://${location.host}/ws/chat/`, {
      heard: (frame) => this.#heard(frame),
      opened: () => this.#recover(),
      changed: (link, seconds) => {
        this.status.linked(link, seconds);
        this.status.show(this.session);
      },
    });
    this.#wire.connect();
  }

  send() {
    const text = this.prompt.value.trim();
    if (!text || this.#busy) return;
    const { metadata, error } = this.panel.next;
    const most = page.limits.prompt_bytes;
    if (error) return this.#correct(error);
    if (bytes(text) > most) return this.status.say(`Please shorten this: it is over ${most} bytes.`, 'fault');
    const message = turns.compose(this.session, text, metadata);
    this.#type('');
    this.transcript.update(message);
    this.#transmit(message);
    // Not before the starters above it are gone.
    this.transcript.settle(message);
    this.rail.show(this.session);
  }

  stop() {
    const answer = turns.running(this.session);
    const sent = answer && this.#wire.send(turns.stopFrame(this.session, answer));
    // Without a generation or a connection yet, it is asked as soon as there is one.
    this.#stopWanted = !sent && this.#busy;
    this.prompt.focus();
  }

  get #busy() {
    return Boolean(turns.unsent(this.session) ?? turns.running(this.session));
  }

  #transmit(message) {
    if (this.#wire.send(turns.frameOf(this.session, mentor, message))) this.#wire.expect(ACKNOWLEDGED_WITHIN);
    this.#changed();
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
    else this.#changed();
  }

  #started(message) {
    this.panel.warn(message.warnings);
    // A draft that was edited meanwhile is the next message's.
    if (message.metadata !== undefined && this.panel.next.metadata === message.metadata) this.panel.accepted();
    else this.panel.look(this.session.version);
    const answer = turns.running(this.session);
    if (answer) this.#draw(answer);
    if (this.#stopWanted) this.stop();
  }

  #refused(message) {
    this.#stopWanted = false;
    // The very first acknowledgement may be lost together with the session's token: nothing hangs on that session.
    const unborn = !turns.confirmed(this.session) && !message.renewed;
    if (unborn && LOST.includes(message.error.code)) return this.#renew(message);
    this.panel.warn(message.error.details.filter(({ pointer }) => pointer?.startsWith('/metadata')));
    announce(`Not sent. ${message.error.text}`);
  }

  #renew(message) {
    this.store.forget(this.session.id);
    Object.assign(this.session, { id: blank().id, token: null });
    Object.assign(message, { state: 'sending', error: undefined, renewed: true });
    this.#transmit(message);
  }

  #ended(message) {
    const words = { complete: 'answered', stopped: 'was stopped' }[message.status] ?? 'could not finish';
    announce(`${mentor.name} ${words}. ${message.error?.text ?? ''} ${message.text.slice(0, 1500)}`);
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

  #changed() {
    const { mode, error } = this.panel.next;
    const { messages, version } = this.session;
    this.store.save(this.session);
    find('composer').dataset.next = error ? 'faulty' : mode;
    find('next-line').textContent = this.panel.sentence;
    find('context-button').textContent = version ? `Context v${version}` : 'Context';
    find('send').hidden = this.#busy;
    find('stop').hidden = !this.#busy;
    find('opening').hidden = messages.length > 0 && !mentor.greeting_text;
    find('starters').hidden = messages.length > 0;
    this.status.show(this.session);
  }

  #correct(error) {
    this.drawers.open('panel');
    (document.querySelector('#editor [aria-invalid="true"]') ?? find('json')).focus();
    announce(error);
  }

  /** Asks a refused message, or the question of an answer that failed, once more: with the metadata as it is now. */
  #again(message) {
    if (this.#busy) return;
    const { messages } = this.session;
    const asked = messages.slice(0, messages.indexOf(message) + 1).findLast(({ role }) => role === 'user');
    if (message === asked) this.#withdraw(message);
    const halfWritten = this.prompt.value;
    this.#type(asked.text);
    this.send();
    if (!this.prompt.value) this.#type(halfWritten);
  }

  #edit(message) {
    this.#withdraw(message);
    this.#type([message.text, this.prompt.value].filter(Boolean).join('\n\n'));
    this.prompt.focus();
    this.#changed();
  }

  #anew(message) {
    this.#withdraw(message);
    this.store.save(this.session);
    this.#go({ ...this.store.begin(), prompt: message.text });
    if (message.metadata !== undefined) this.panel.edit(message.metadata);
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

  #tag(event, message) {
    if (!message) return this.card.hide();
    const { version } = message;
    const context = (number) => turns.contextOf(this.session, number);
    this.card.show(event.currentTarget, version, context(version), context(version - 1));
    if (event.type === 'click') this.panel.look(version);
  }

  #go(session) {
    this.drawers.close();
    this.open(session);
    this.prompt.focus();
  }

  #forgotten(id) {
    if (id === this.session.id) this.#go(this.store.begin());
    else this.rail.show(this.session);
  }

  #listen() {
    find('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    find('stop').addEventListener('click', () => this.stop());
    find('next-line').addEventListener('click', () => this.drawers.open('panel', find('next')));
    for (const starter of find('starters').children) {
      starter.addEventListener('click', () => this.#start(starter.textContent));
    }
    this.prompt.addEventListener('input', () => this.#type(this.prompt.value));
    this.prompt.addEventListener('keydown', (event) => this.#key(event));
    addEventListener('keydown', ({ key }) => key === 'Escape' && this.#escape());
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

  #escape() {
    if (this.card.open) this.card.hide();
    else if (!this.drawers.close() && this.#busy) this.stop();
  }
}

themeButton(find('theme'));
if (mentor) new Chat();

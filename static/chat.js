/** The chat page: a conversation, the rail of others beside it, and the panel of what goes with the next message. */

import { Conversation } from './chat/conversation.js';
import { Drawers } from './chat/drawers.js';
import { examplesFor } from './chat/examples.js';
import { Panel } from './chat/panel.js';
import { Rail } from './chat/rail.js';
import { Card } from './chat/snapshot.js';
import { announce } from './chat/status.js';
import { themeButton } from './chat/theme-button.js';
import { contextOf } from './chat/turns.js';

const find = (id) => document.getElementById(id);
const page = JSON.parse(find('page').textContent);
const mentor = page.mentors.find(({ tenant, slug }) => tenant === page.chosen?.tenant && slug === page.chosen.slug);

class Chat {
  constructor() {
    this.card = new Card(find('card'));
    this.drawers = new Drawers(find('app'));
    this.talk = new Conversation(mentor, page.limits, {
      next: () => this.panel.next,
      opened: (session) => this.#opened(session),
      changed: () => this.#changed(),
      sent: () => this.rail.show(this.talk.session),
      started: (message) => this.#started(message),
      refused: ({ error }) => this.panel.warn(error.details.filter(({ pointer }) => pointer?.startsWith('/metadata'))),
      corrected: (error) => this.#correct(error),
      anew: ({ metadata }) => metadata !== undefined && this.panel.edit(metadata),
      tag: (event, message) => this.#tag(event, message),
    });
    this.rail = new Rail(this.talk.store, {
      go: (session) => this.#go(session),
      forgotten: (id) => this.#forgotten(id),
    });
    this.panel = new Panel({
      limit: page.limits.metadata_bytes,
      examples: examplesFor(mentor.slug),
      changed: () => this.talk.changed(),
    });
    find('next-line').addEventListener('click', () => this.drawers.open('panel', find('next')));
    addEventListener('keydown', ({ key }) => key === 'Escape' && this.#escape());
    this.talk.wake();
    this.talk.open();
  }

  #opened(session) {
    this.panel.show(session);
    this.panel.warn([]);
    this.rail.show(session);
  }

  #started(message) {
    this.panel.warn(message.warnings);
    // A draft that was edited meanwhile is the next message's.
    if (message.metadata !== undefined && this.panel.next.metadata === message.metadata) this.panel.accepted();
    else this.panel.look(this.talk.session.version);
  }

  #changed() {
    const { mode, error } = this.panel.next;
    const { version } = this.talk.session;
    find('composer').dataset.next = error ? 'faulty' : mode;
    find('next-line').textContent = this.panel.sentence;
    find('context-button').textContent = version ? `Context v${version}` : 'Context';
  }

  #correct(error) {
    this.drawers.open('panel');
    (document.querySelector('#editor [aria-invalid="true"]') ?? find('json')).focus();
    announce(error);
  }

  #tag(event, message) {
    if (!message) return this.card.hide();
    const { version } = message;
    const context = (number) => contextOf(this.talk.session, number);
    this.card.show(event.currentTarget, version, context(version), context(version - 1));
    if (event.type === 'click') this.panel.look(version);
  }

  #go(session) {
    this.drawers.close();
    this.talk.open(session);
    this.talk.prompt.focus();
  }

  #forgotten(id) {
    if (id === this.talk.session.id) this.#go(this.talk.store.begin());
    else this.rail.show(this.talk.session);
  }

  #escape() {
    if (this.card.open) this.card.hide();
    else if (!this.drawers.close() && this.talk.busy) this.talk.stop();
  }
}

themeButton(find('theme'));
if (mentor) new Chat();

/** What this browser remembers: each mentor's sessions, their tokens, messages and context versions. */

import { uuid } from './dom.js';

const MANY = 30;

export function blank() {
  return {
    id: uuid(), token: null, title: '', at: null,
    version: 0, versions: {}, messages: [],
    prompt: '', draft: null,
  };
}

export class Store {
  constructor(mentor) {
    this.listKey = `mentor-context:sessions:${mentor.tenant}/${mentor.slug}`;
    this.tabKey = `mentor-context:open:${mentor.tenant}/${mentor.slug}`;
  }

  /** [{id, title, at}], newest first. */
  list() {
    return this.#read(this.listKey) ?? [];
  }

  /** The session that this tab had open, else the newest, else a blank one. */
  open(id = this.#tab() ?? this.list()[0]?.id) {
    const session = id && this.#read(this.#key(id));
    if (!session) return this.begin();
    this.#tab(id);
    return session;
  }

  begin() {
    const session = blank();
    this.#tab(session.id);
    return session;
  }

  /** A session is listed from its first message on. */
  save(session) {
    const others = this.list().filter((entry) => entry.id !== session.id);
    if (!session.messages.length) return;
    const { id, title, at } = session;
    for (const old of others.splice(MANY - 1)) localStorage.removeItem(this.#key(old.id));
    this.#write(this.#key(id), session);
    this.#write(this.listKey, [{ id, title, at }, ...others].sort((a, b) => (a.at < b.at ? 1 : -1)));
  }

  forget(id) {
    localStorage.removeItem(this.#key(id));
    this.#write(this.listKey, this.list().filter((entry) => entry.id !== id));
  }

  #key(id) {
    return `mentor-context:session:${id}`;
  }

  #tab(id) {
    try {
      return id ? sessionStorage.setItem(this.tabKey, id) : sessionStorage.getItem(this.tabKey);
    } catch {
      return null;
    }
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  // A full or forbidden storage costs the memory of this browser, never the conversation.
  #write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      console.info('This browser keeps no more conversations.');
    }
  }
}

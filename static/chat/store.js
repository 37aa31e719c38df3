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

// Each tab has a key of its own for the same answer.
const nameOf = ({ generation, key }) => generation ?? key;

export class Store {
  // What a full or forbidden storage does not take is remembered for as long as this page is open.
  #memory = new Map();
  // The messages that this page has had, of each session: what else is stored is another tab's.
  #had = new Map();

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
    for (const old of others.splice(MANY - 1)) this.#remove(this.#key(old.id));
    this.#write(this.#key(id), this.#withOthers(session));
    this.#write(this.listKey, [{ id, title, at }, ...others].sort((a, b) => (a.at < b.at ? 1 : -1)));
  }

  forget(id) {
    this.#remove(this.#key(id));
    this.#write(this.listKey, this.list().filter((entry) => entry.id !== id));
  }

  forgetAll() {
    for (const { id } of this.list()) this.#remove(this.#key(id));
    this.#remove(this.listKey);
    this.#had.clear();
  }

  // What another tab has added to the session meanwhile stays; what was taken out here does not come back.
  #withOthers(session) {
    const had = this.#had.get(session.id) ?? new Set();
    session.messages.forEach((message) => had.add(nameOf(message)));
    this.#had.set(session.id, had);
    const stored = this.#read(this.#key(session.id));
    const theirs = stored?.messages.filter((message) => !had.has(nameOf(message))) ?? [];
    if (!theirs.length) return session;
    const messages = [...session.messages, ...theirs].sort((a, b) => (a.at > b.at) - (a.at < b.at));
    const later = stored.version > session.version ? { version: stored.version, told: stored.told } : {};
    return { ...session, messages, versions: { ...stored.versions, ...session.versions }, ...later };
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
    if (this.#memory.has(key)) return this.#memory.get(key);
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  #write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, value);
    }
  }

  #remove(key) {
    this.#memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // Then there is nothing to remove.
    }
  }
}

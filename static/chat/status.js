/** The status line: in a learner's words, and aloud only where something is wrong or over. */

import { running, unsent } from './turns.js';
import { gettext, interpolate } from './words.js';

const find = (id) => document.getElementById(id);

export class Status {
  #link = 'connecting';
  #seconds = 0;

  /** The socket's state, and in how many seconds it is tried again. */
  linked(link, seconds) {
    const before = this.#link;
    if (link === 'waiting' && before === 'open') announce(gettext('The connection was lost. It is tried again.'));
    if (link === 'open' && (before === 'waiting' || before === 'offline')) announce(gettext('Connected again.'));
    // While a lost connection is tried again, the words about it stand still.
    if (link !== 'connecting' || before === 'open') this.#link = link;
    this.#seconds = seconds;
  }

  show(session) {
    const [words, state] = this.#connection() ?? [work(session) ?? gettext('Ready'), work(session) ? 'busy' : 'ready'];
    this.say(words, state);
  }

  say(words, state) {
    const node = find('status');
    if (node.textContent !== words) node.textContent = words;
    node.dataset.state = state;
  }

  #connection() {
    const waiting = gettext('No connection. Trying again in %(seconds)s s; nothing you wrote is lost.');
    const offline = gettext('You are offline. It goes on by itself when you are back; nothing you wrote is lost.');
    return {
      connecting: [gettext('Connecting…'), 'busy'],
      waiting: [interpolate(waiting, { seconds: this.#seconds }), 'fault'],
      offline: [offline, 'fault'],
    }[this.#link];
  }
}

function work(session) {
  if (unsent(session)) return gettext('Sending…');
  const answer = running(session);
  if (!answer && session.elsewhere) return gettext('The mentor is answering elsewhere…');
  return answer && (answer.text ? gettext('Answering…') : gettext('Reading your message…'));
}

/** Says something to a screen reader. */
export function announce(text) {
  find('announcer').textContent = text;
}

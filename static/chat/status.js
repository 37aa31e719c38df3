/** The status line: in a learner's words, and aloud only where something is wrong or over. */

import { running, unsent } from './turns.js';

const find = (id) => document.getElementById(id);

export class Status {
  #link = 'connecting';
  #seconds = 0;

  /** The socket's state, and in how many seconds it is tried again. */
  linked(link, seconds) {
    const before = this.#link;
    if (link === 'waiting' && before === 'open') announce('The connection was lost. It is tried again.');
    if (link === 'open' && (before === 'waiting' || before === 'offline')) announce('Connected again.');
    // While a lost connection is tried again, the words about it stand still.
    if (link !== 'connecting' || before === 'open') this.#link = link;
    this.#seconds = seconds;
  }

  show(session) {
    const [words, state] = this.#connection() ?? [work(session) ?? 'Ready', work(session) ? 'busy' : 'ready'];
    this.say(words, state);
  }

  say(words, state) {
    const node = find('status');
    if (node.textContent !== words) node.textContent = words;
    node.dataset.state = state;
  }

  #connection() {
    const safe = 'nothing you wrote is lost.';
    return {
      connecting: ['Connecting…', 'busy'],
      waiting: [`No connection. Trying again in ${this.#seconds} s; ${safe}`, 'fault'],
      offline: [`You are offline. It goes on by itself when you are back; ${safe}`, 'fault'],
    }[this.#link];
  }
}

function work(session) {
  if (unsent(session)) return 'Sending…';
  const answer = running(session);
  return answer && (answer.text ? 'Answering…' : 'Reading your message…');
}

/** Says something to a screen reader. */
export function announce(text) {
  find('announcer').textContent = text;
}

/** The socket: JSON frames in and out, and a connection that comes back by itself. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const STEADY = 5000;

export class Wire {
  #socket = null;
  #tries = 0;
  #timers = {};
  #closed = false;

  /** `heard(frame)` for each frame, `opened()` on each connection, `changed(state, seconds)` for the status line. */
  constructor(url, { heard, opened, changed }) {
    Object.assign(this, { url, heard, opened, changed });
    this.nudge = () => document.visibilityState === 'visible' && this.#timers.retry && this.connect();
    addEventListener('online', this.nudge);
    document.addEventListener('visibilitychange', this.nudge);
  }

  connect() {
    this.#clear('retry');
    this.changed('connecting');
    const socket = (this.#socket = new WebSocket(this.url));
    socket.onopen = () => {
      this.#after('steady', STEADY, () => (this.#tries = 0));
      this.changed('open');
      this.opened();
    };
    socket.onmessage = ({ data }) => {
      this.#clear('silence');
      const frame = decode(data);
      if (frame) this.heard(frame);
    };
    socket.onclose = () => socket === this.#socket && !this.#closed && this.#lost();
  }

  /** False when there is no connection: what was to be sent is sent again by `opened`. */
  send(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** A connection that says nothing for so long is taken for dead, and made anew. */
  expect(milliseconds) {
    this.#after('silence', milliseconds, () => this.again());
  }

  again() {
    this.#socket?.close();
    this.#lost();
  }

  close() {
    this.#closed = true;
    Object.keys(this.#timers).forEach((name) => this.#clear(name));
    removeEventListener('online', this.nudge);
    document.removeEventListener('visibilitychange', this.nudge);
    this.#socket?.close();
  }

  #lost() {
    if (this.#socket) this.#socket.onclose = null;
    this.#socket = null;
    this.#clear('steady');
    this.#clear('silence');
    // Jitter: a restarted server is not met by every page in the same instant.
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
    this.changed(navigator.onLine ? 'waiting' : 'offline', Math.ceil(wait / 1000));
    this.#after('retry', wait, () => this.connect());
  }

  #after(name, milliseconds, action) {
    this.#clear(name);
    this.#timers[name] = setTimeout(action, milliseconds);
  }

  #clear(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

function decode(data) {
  try {
    const frame = JSON.parse(data);
    return frame && typeof frame === 'object' ? frame : null;
  } catch {
    return null;
  }
}

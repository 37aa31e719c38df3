/** The conversation: messages set like a play, who speaks in the margin, and the reader's place kept. */

import { h, icon, time } from './dom.js';
import { Rendering } from './markdown.js';
import { brief } from './snapshot.js';
import { contextOf } from './turns.js';

const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export class Transcript {
  #nodes = new Map();
  #renderings = new Map();
  #session;

  /** `on` holds what buttons do: again(message), edit(message), anew(message), tag(event, message). */
  constructor(list, scroller, latest, { mentor, on }) {
    Object.assign(this, { list, scroller, latest, mentor, on });
    scroller.addEventListener('scroll', () => this.#offerLatest(), { passive: true });
    latest.addEventListener('click', () => this.toEnd());
  }

  show(session) {
    this.#session = session;
    this.#nodes.clear();
    this.#renderings.clear();
    this.list.replaceChildren();
    for (const message of session.messages) this.update(message);
    this.list.style.minHeight = '';
    this.toEnd('instant');
  }

  /** Draws a message anew; a growing answer keeps all of its nodes but the last. */
  update(message) {
    const node = this.#nodes.get(message.key) ?? this.#place(message);
    node.className = `message ${message.role} ${message.status ?? message.state ?? ''}`;
    if (message.role === 'user') node.replaceChildren(...this.#user(message));
    else this.#answer(node, message);
    this.#offerLatest();
  }

  remove(message) {
    this.#nodes.get(message.key)?.remove();
    this.#nodes.delete(message.key);
  }

  /** A new question that stands low goes to the top: its answer grows downwards and moves nothing that is read. */
  settle(message) {
    const node = this.#nodes.get(message.key);
    const place = node.offsetTop - this.scroller.scrollTop;
    if (place < this.scroller.clientHeight * 0.4) return;
    this.list.style.minHeight = `${node.offsetTop + this.scroller.clientHeight - 96}px`;
    this.scroller.scrollTo({ top: node.offsetTop - 24, behavior: calm() ? 'instant' : 'smooth' });
  }

  toEnd(behavior = calm() ? 'instant' : 'smooth') {
    const last = this.list.lastElementChild;
    const top = last ? last.offsetTop + last.offsetHeight + 32 - this.scroller.clientHeight : 0;
    this.scroller.scrollTo({ top, behavior });
  }

  #place(message) {
    const node = h('li', {});
    const next = this.#session.messages[this.#session.messages.indexOf(message) + 1];
    this.list.insertBefore(node, this.#nodes.get(next?.key) ?? null);
    this.#nodes.set(message.key, node);
    return node;
  }

  #user(message) {
    return [
      message.changed && this.#change(message.version),
      this.#margin('You', message),
      h('div', { class: 'body' },
        h('p', { class: 'said' }, message.text),
        message.state === 'refused' && this.#refusal(message),
        (message.warnings ?? []).map(({ message: text, code }) => note('warning', [text, ' ', h('code', {}, code)]))),
    ].filter(Boolean);
  }

  #answer(node, message) {
    if (!node.firstChild) {
      const prose = h('div', { class: 'prose' });
      this.#renderings.set(message.key, new Rendering(prose));
      const body = h('div', { class: 'body' }, prose, h('div', { class: 'notes' }));
      node.append(this.#margin(this.mentor.name, message), body);
    }
    this.#renderings.get(message.key).show(message.text);
    if (node.dataset.status === message.status) return;
    node.dataset.status = message.status;
    node.querySelector('.notes').replaceChildren(...[this.#ending(message)].flat().filter(Boolean));
  }

  #margin(who, message) {
    const when = message.state === 'sending' ? h('span', {}, 'sending…') : time(message.at);
    return h('div', { class: 'margin' }, h('span', { class: 'who' }, who), when, this.#tag(message));
  }

  #tag(message) {
    if (message.version === undefined) return null;
    const show = (event) => this.on.tag(event, message);
    const hide = (event) => this.on.tag(event);
    const listeners = { onclick: show, onmouseenter: show, onfocus: show, onmouseleave: hide, onblur: hide };
    const label = message.version ? `context v${message.version}` : 'no context';
    return h('button', { type: 'button', class: 'tag', 'aria-describedby': 'card', ...listeners }, label);
  }

  #change(version) {
    const [before, after] = [contextOf(this.#session, version - 1), contextOf(this.#session, version)];
    const emptied = after && !Object.keys(after).length;
    return h('div', { class: 'change' },
      h('span', {}, `Context v${version}`, emptied && ', cleared'),
      before && after && brief(before, after));
  }

  #ending(message) {
    const again = button('Ask again', 'again', () => this.on.again(message));
    const { error, status } = message;
    if (status === 'stopped') return note('stopped', 'You stopped this answer.');
    if (status === 'streaming') return null;
    if (status === 'complete') return h('p', { class: 'tools' }, copy(message));
    const text = message.text ? 'The answer broke off.' : 'There is no answer.';
    return fault(error, text, [again]);
  }

  #refusal(message) {
    const { code } = message.error;
    const lost = ['not_found', 'authentication_failed', 'authentication_required', 'flow_mismatch'].includes(code);
    const anew = () => button('Start a new conversation with it', 'new', () => this.on.anew(message));
    const again = () => button('Try again', 'again', () => this.on.again(message));
    const edit = button('Edit', 'edit', () => this.on.edit(message));
    return fault(message.error, 'This message was not accepted.', [lost ? anew() : again(), edit]);
  }

  #offerLatest() {
    const last = this.list.lastElementChild;
    const end = last ? last.offsetTop + last.offsetHeight : 0;
    this.latest.hidden = end - this.scroller.scrollTop - this.scroller.clientHeight < 48;
  }
}

function note(kind, content) {
  return h('p', { class: `note ${kind}` }, icon(kind === 'warning' ? 'warning' : 'stop'), h('span', {}, content));
}

function fault(error, lead, buttons) {
  const wait = error?.wait && ` You can try again in ${error.wait} s.`;
  const details = (error?.details ?? []).filter(({ message }) => message !== error.text);
  return h('div', { class: 'fault' },
    h('p', {}, h('b', {}, lead), ' ', error?.text ?? 'The server went away meanwhile.', wait),
    details.map(({ pointer, message }) => h('p', {}, h('code', {}, pointer), ' ', message)),
    h('p', { class: 'tools' }, buttons, h('code', {}, [error?.code, error?.status].filter(Boolean).join(' · '))));
}

function button(label, symbol, onclick) {
  return h('button', { type: 'button', class: 'small', onclick }, icon(symbol), label);
}

function copy(message) {
  const node = button('Copy', 'copy', async () => {
    try {
      await navigator.clipboard.writeText(message.text);
      node.lastChild.textContent = 'Copied';
    } catch {
      node.lastChild.textContent = 'Copying is not allowed here';
    }
    setTimeout(() => (node.lastChild.textContent = 'Copy'), 2000);
  });
  return node;
}

/** The conversation: messages set like a play, who speaks in the margin, and the reader's place kept. */

import { attach } from './attached.js';
import { button, copyButton } from './buttons.js';
import { h, icon, time } from './dom.js';
import { sentence } from './faults.js';
import { bodyOf, draw } from './kinds.js';
import { Rendering } from './markdown.js';
import { brief } from './snapshot.js';
import { contextOf } from './turns.js';
import { gettext, interpolate } from './words.js';

const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export class Transcript {
  #nodes = new Map();
  #renderings = new Map();
  #attached = new Map();
  #session;

  /** A mentor without `show_context` keeps versions and warnings to itself.
   * `on` holds what buttons do: again(message), edit(message), anew(message), tag(event, message); and load(message),
   * a promise of a message's debug data, where this page can ask for them. */
  constructor(list, scroller, latest, { mentor, on }) {
    Object.assign(this, { list, scroller, latest, mentor, on });
    this.open = mentor.show_context !== false;
    scroller.addEventListener('scroll', () => this.#offerLatest(), { passive: true });
    latest.addEventListener('click', () => this.toEnd());
  }

  show(session) {
    this.#session = session;
    this.#nodes.clear();
    this.#renderings.clear();
    this.#attached.clear();
    this.list.replaceChildren();
    for (const message of session.messages) this.update(message);
    this.list.style.minHeight = '';
    this.toEnd('instant');
  }

  /** Draws a message anew; a growing answer keeps all of its nodes but the last. Logs are never shown. */
  update(message) {
    if (message.type === 'log') return;
    const node = this.#nodes.get(message.key) ?? this.#place(message);
    const { role } = message;
    const own = role === 'user' || role === 'mentor';
    node.className = `message ${own ? role : `of-${role}`} ${message.status ?? message.state ?? ''}`;
    if (role === 'user') node.replaceChildren(...this.#user(message));
    else if (role === 'mentor') this.#answer(node, message);
    else node.replaceChildren(...draw(message, { mentor: this.mentor, load: this.on.load }));
    this.#offerLatest();
  }

  remove(message) {
    this.#nodes.get(message.key)?.remove();
    this.#nodes.delete(message.key);
    this.#attached.delete(message.key);
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
    const { messages } = this.#session;
    let at = messages.indexOf(message) + 1;
    while (messages[at]?.type === 'log') at += 1;
    this.list.insertBefore(node, this.#nodes.get(messages[at]?.key) ?? null);
    this.#nodes.set(message.key, node);
    return node;
  }

  #user(message) {
    const { attribution, footer, tools } = attach(message, this.on.load);
    return [
      this.open && message.changed && this.#change(message.version),
      this.#margin(gettext('You'), message, attribution),
      h('div', { class: 'body' },
        bodyOf(message),
        footer,
        tools && h('p', { class: 'tools' }, tools),
        message.state === 'refused' && this.#refusal(message),
        this.open && (message.warnings ?? []).map(({ message: text, code }) => note('warning', [text, ' ', h('code', {}, code)]))),
    ].filter(Boolean);
  }

  #answer(node, message) {
    if (!node.firstChild) {
      const prose = h('div', { class: 'prose', dir: 'auto' });
      this.#renderings.set(message.key, new Rendering(prose));
      const body = h('div', { class: 'body' }, prose, h('div', { class: 'notes' }));
      node.append(this.#margin(this.mentor.name, message), body);
    }
    this.#renderings.get(message.key).show(message.text);
    const { status, attached, debug } = message;
    const before = this.#attached.get(message.key);
    if (before && before.status === status && before.attached === attached && before.debug === debug) return;
    this.#attached.set(message.key, { status, attached, debug });
    this.#surround(node, message);
  }

  // What stands around an answer's words: it changes with its end, or with what was attached to it.
  #surround(node, message) {
    const { attribution, footer, tools } = attach(message, this.on.load);
    node.querySelector('.who .attribution')?.remove();
    if (attribution) node.querySelector('.who').append(attribution);
    node.querySelector('.notes').replaceChildren(...[footer, this.#ending(message, tools)].filter(Boolean));
  }

  #margin(who, message, attribution) {
    const when = message.state === 'sending' ? h('span', {}, gettext('sending…')) : time(message.at);
    return h('div', { class: 'margin' }, h('span', { class: 'who' }, who, attribution), when, this.#tag(message));
  }

  #tag(message) {
    if (!this.open || message.version === undefined) return null;
    const show = (event) => this.on.tag(event, message);
    const hide = (event) => this.on.tag(event);
    const listeners = { onclick: show, onmouseenter: show, onfocus: show, onmouseleave: hide, onblur: hide };
    const label = message.version
      ? interpolate(gettext('context v%(version)s'), { version: message.version })
      : gettext('no context');
    return h('button', { type: 'button', class: 'tag', 'aria-describedby': 'card', ...listeners }, label);
  }

  #change(version) {
    const [before, after] = [contextOf(this.#session, version - 1), contextOf(this.#session, version)];
    const emptied = after && !Object.keys(after).length;
    return h('div', { class: 'change' },
      h('span', {}, interpolate(emptied ? gettext('Context v%(version)s, cleared') : gettext('Context v%(version)s'), { version })),
      before && after && brief(before, after));
  }

  #ending(message, tools) {
    const again = button(gettext('Ask again'), 'again', () => this.on.again(message));
    const { error, status } = message;
    if (status === 'streaming') return null;
    if (status === 'complete') return h('p', { class: 'tools' }, copyButton(() => message.text), tools);
    const text = message.text ? gettext('The answer broke off.') : gettext('There is no answer.');
    const stopped = status === 'stopped';
    const words = stopped ? note('stopped', gettext('You stopped this answer.')) : fault(error, text, [again]);
    return tools ? h('div', {}, words, h('p', { class: 'tools' }, tools)) : words;
  }

  #refusal(message) {
    const { code } = message.error;
    const lost = ['not_found', 'authentication_failed', 'authentication_required', 'flow_mismatch'].includes(code);
    const anew = () => button(gettext('Start a new conversation with it'), 'new', () => this.on.anew(message));
    const again = () => button(gettext('Try again'), 'again', () => this.on.again(message));
    const edit = button(gettext('Edit'), 'edit', () => this.on.edit(message));
    return fault(message.error, gettext('This message was not accepted.'), [lost ? anew() : again(), edit]);
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
  const details = (error?.details ?? []).filter(({ message }) => message !== sentence(error));
  return h('div', { class: 'fault' },
    h('p', {}, h('b', {}, lead), ' ', sentence(error)),
    details.map(({ pointer, message }) => h('p', {}, h('code', {}, pointer), ' ', message)),
    h('p', { class: 'tools' }, buttons, h('code', {}, [error?.code, error?.status].filter(Boolean).join(' · '))));
}

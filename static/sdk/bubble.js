/** The frame behind a round button at the edge of the window; on a small screen it fills it. */

import { Frame } from './frame.js';

const SVG = 'http://www.w3.org/2000/svg';
const CHAT = 'M4 5.5h16v11H10l-4.5 3.5v-3.5H4z';
const CLOSE = 'M6 6l12 12M18 6L6 18';
const STYLE = `
  :host { all: initial; }
  * { box-sizing: border-box; }
  .button { position: fixed; inset-block-end: 20px; z-index: 2147483000; display: grid; place-items: center;
    inline-size: 56px; block-size: 56px; padding: 0; border: 0; border-radius: 50%; cursor: pointer;
    color: var(--mentor-on-accent, #fff); background: var(--mentor-accent, #1d5a9e);
    box-shadow: 0 1px 2px rgb(0 0 0 / 12%), 0 8px 24px rgb(0 0 0 / 18%); }
  .button:focus-visible { outline: 3px solid var(--mentor-accent, #1d5a9e); outline-offset: 3px; }
  .button svg { inline-size: 26px; block-size: 26px; fill: none; stroke: currentColor; stroke-width: 1.75;
    stroke-linecap: round; stroke-linejoin: round; }
  .panel { position: fixed; inset-block-end: 92px; z-index: 2147483000; overflow: hidden;
    inline-size: min(400px, calc(100vw - 40px)); block-size: min(640px, calc(100dvh - 112px));
    border: 1px solid rgb(128 128 128 / 30%); border-radius: 8px; background: Canvas;
    box-shadow: 0 1px 2px rgb(0 0 0 / 8%), 0 8px 24px rgb(0 0 0 / 14%); }
  .end { inset-inline-end: 20px; }
  .start { inset-inline-start: 20px; }
  [hidden] { display: none; }
  @media (max-width: 480px) {
    .panel { inset: 0; inline-size: 100vw; block-size: 100dvh; border: 0; border-radius: 0; }
    .button[aria-expanded="true"] { display: none; }
  }
  @media print { .button, .panel { display: none; } }
`;

export class Bubble extends Frame {
  closable = true;

  constructor(options) {
    super(options);
    this.host = document.createElement('div');
    const root = this.host.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet()];
    const side = options.position === 'start' ? 'start' : 'end';
    this.button = this.#button(side);
    this.panel = element('div', { class: `panel ${side}` });
    this.panel.hidden = true;
    root.append(this.panel, this.button);
    whenThereIsABody(() => this.#appear());
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  open() {
    if (this.isOpen) return this.focus();
    this.#load();
    this.panel.hidden = false;
    this.#label();
    this.wake();
    this.focus();
    this.emit('open');
  }

  close() {
    if (!this.isOpen) return;
    this.panel.hidden = true;
    this.#label();
    this.button.focus({ focusVisible: true });
    this.emit('close');
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  destroy() {
    super.destroy();
    this.host.remove();
  }

  #appear() {
    if (this.gone) return;
    document.body.append(this.host);
    // What the page says before anybody opens it is judged at once; its socket waits to be opened.
    (window.requestIdleCallback ?? setTimeout)(() => this.#load());
    if (this.options.open) this.open();
  }

  #load() {
    if (!this.iframe && !this.gone) this.load(this.panel, this.isOpen ? '' : '#closed');
  }

  #button(side) {
    const button = element('button', { type: 'button', class: `button ${side}`, 'aria-expanded': 'false' });
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    this.shape = document.createElementNS(SVG, 'path');
    svg.append(this.shape);
    button.append(svg);
    button.addEventListener('click', () => this.toggle());
    queueMicrotask(() => this.#label());
    return button;
  }

  #label() {
    const { label = 'Chat', closeLabel = 'Close the chat' } = this.options;
    this.button.setAttribute('aria-expanded', String(this.isOpen));
    this.button.setAttribute('aria-label', this.isOpen ? closeLabel : label);
    this.shape.setAttribute('d', this.isOpen ? CLOSE : CHAT);
  }
}

function sheet() {
  const style = new CSSStyleSheet();
  style.replaceSync(STYLE);
  return style;
}

function element(tag, attributes) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function whenThereIsABody(action) {
  if (document.body) action();
  else addEventListener('DOMContentLoaded', action, { once: true });
}

/** What a sender attached to a message, as far as the app reads it: anything of another shape than it should have is
 * not there, and no text of it can act, or turn or break what stands around it. */

import { button } from './buttons.js';
import { h } from './dom.js';
import { inspect } from './inspector.js';
import { gettext, interpolate, language } from './words.js';

const LONGEST_NAME = 80;
const LONGEST_ITEM = 300;
const LONGEST_ADDRESS = 2000;
const MOST_ITEMS = 20;

/**
 * The parts of a message of the transcript's shape that come from what was attached to it, each null where there is
 * nothing: {attribution, footer, tools: nodes; address: attributes of the link that its whole text is}.
 * `load(message)` → a promise of its debug data; without it only what is in the message can be inspected.
 */
export function attach(message, load) {
  const { attached } = message;
  const { attribution, href, footer_items: items } = isObject(attached) ? attached : {};
  return {
    attribution: attributionOf(attribution),
    footer: footerOf(items),
    tools: inspectButton(message, load),
    address: message.type && message.type !== 'chat' ? addressOf(href) : null,
  };
}

/** A text in one line, without controls and marks of direction, at most so many characters; '' for anything else. */
export function line(value, most = LONGEST_NAME) {
  if (typeof value !== 'string') return '';
  const text = value.slice(0, 4 * most).replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const signs = [...text];
  return signs.length > most ? `${signs.slice(0, most - 1).join('')}…` : text;
}

/** The attributes of a link to a path of ours or to a web address, null for anything else. */
export function addressOf(href) {
  if (typeof href !== 'string' || href.length > LONGEST_ADDRESS) return null;
  // A blank, a control or a backslash may make an address another one than it looks like.
  if (/[\s\\\p{Cc}\p{Cf}]/u.test(href) || !/^(https?:\/\/|\/(?!\/))/i.test(href)) return null;
  if (!URL.canParse(href, location.href)) return null;
  const { href: whole, protocol, origin, username, password } = new URL(href, location.href);
  if (!/^https?:$/.test(protocol) || username || password) return null;
  const ours = href.startsWith('/') && origin === location.origin;
  // Within another site's page its path would fill the frame.
  if (ours && parent === window) return { href: whole };
  return { href: whole, target: '_blank', rel: 'noopener noreferrer nofollow' };
}

/** A node whose whole text is a link; within it nothing else is one. */
export function linked(node, address) {
  if (!address) return node;
  for (const inner of node.querySelectorAll('a')) inner.replaceWith(...inner.childNodes);
  for (const inner of node.querySelectorAll('button')) inner.remove();
  for (const inner of node.querySelectorAll('[tabindex]')) inner.removeAttribute('tabindex');
  return h('a', { class: 'whole', ...address }, node);
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function attributionOf(value) {
  const text = line(value);
  const whole = line(value, 4 * LONGEST_NAME);
  const title = whole === text ? null : whole;
  return text ? h('span', { class: 'attribution', title }, '[', h('bdi', {}, text), ']') : null;
}

function footerOf(value) {
  const items = (typeof value === 'string' ? [value] : Array.isArray(value) ? value : [])
    .filter((item) => typeof item === 'string');
  const lines = items.slice(0, MOST_ITEMS).map((item) => line(item, LONGEST_ITEM)).filter(Boolean);
  if (!lines.length) return null;
  const more = items.length - MOST_ITEMS;
  return h('ul', { class: 'footer' },
    lines.map((text) => h('li', { dir: 'auto' }, text)),
    more > 0 && h('li', {}, interpolate(gettext('and %(count)s more'), { count: more.toLocaleString(language) })));
}

function inspectButton(message, load) {
  const inline = isObject(message.attached) && message.attached.debug;
  const fetched = message.debug === true && load;
  if (!fetched && !(isObject(inline) && Object.keys(inline).length)) return null;
  const get = fetched ? () => load(message) : () => Promise.resolve(inline);
  return button(gettext('Inspect'), 'inspect', () => inspect(get), { 'aria-haspopup': 'dialog' });
}

/** Builds DOM nodes: text stays text, whatever a model or a value says. */

import { gettext, language } from './words.js';

/** A new element; `on…` attributes are listeners, `true` sets a bare attribute, null and false leave it out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  // One by one: a hostile answer may have more children than a call has room for arguments.
  for (const child of children.flat()) if (child != null && child !== false) node.append(child);
  return node;
}

/** An icon out of the symbols that the page carries. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

const STEPS = [['day', 86400], ['hour', 3600], ['minute', 60]];
const relatives = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'narrow' });

function relative(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const [unit, size] = STEPS.find(([, size]) => -seconds >= size) ?? [];
  return unit ? relatives.format(Math.round(seconds / size), unit) : gettext('now');
}

/** A relative time that shows the exact one on hover. */
export function time(iso) {
  return h('time', { datetime: iso, title: new Date(iso).toLocaleString(language) }, relative(iso));
}

/** Brings every relative time of the page up to date. */
export function refreshTimes() {
  for (const node of document.querySelectorAll('time[datetime]')) node.textContent = relative(node.dateTime);
}

/** A random UUID4; crypto.randomUUID is missing on plain http pages other than localhost. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function bytes(text) {
  return new TextEncoder().encode(text).length;
}

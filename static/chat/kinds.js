/** Messages of other kinds than a user's and a mentor's words, whoever sent them. */

import { attach, line, linked } from './attached.js';
import { h, time } from './dom.js';
import { Rendering } from './markdown.js';
import { clipped } from './tree.js';
import { gettext } from './words.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i;
const LONGEST_NOTICE = 2000;

const marks = () => ({ note: gettext('Note'), command: gettext('Command'), 'command-response': gettext('Response') });

/** The nodes of a message of the transcript's shape; `mentor` has a name, `load` is as `attach` takes it. */
export function draw(message, { mentor, load }) {
  const { attribution, address, footer, tools } = attach(message, load);
  const below = h('div', { class: 'notes' }, footer, tools && h('p', { class: 'tools' }, tools));
  if (message.type === 'notice') {
    const said = h('span', { dir: 'auto' }, line(message.text, LONGEST_NOTICE));
    return [h('div', { class: 'body' }, h('p', {}, linked(said, address), ' ', attribution), below)];
  }
  const mark = marks()[message.type];
  return [
    h('div', { class: 'margin' },
      h('span', { class: 'who' }, h('bdi', {}, senderOf(message, mentor)), attribution),
      message.at && time(message.at),
      mark && h('span', { class: 'label' }, mark)),
    h('div', { class: 'body' }, linked(bodyOf(message), address), below),
  ];
}

/** A text as its type says: Markdown, JSON with its members in lines, else as it was written. */
export function bodyOf({ text, contentType }) {
  const type = line(contentType).split(';')[0].trim().toLowerCase();
  const json = type === 'application/json' ? pretty(text) : null;
  if (json !== null) return h('div', { class: 'json' }, clipped(json, 'pre'));
  if (type !== 'text/markdown') return h('p', { class: 'said', dir: 'auto' }, text);
  const prose = h('div', { class: 'prose', dir: 'auto' });
  new Rendering(prose).show(text);
  return prose;
}

function senderOf({ by, sender }, mentor) {
  if (by === 'user') return gettext('You');
  if (by === 'mentor') return mentor.name;
  const name = line(sender);
  // An id that only machines read says less than the word.
  return !name || name === 'service' || UUID.test(name) ? gettext('Service') : name;
}

// What says that it is JSON and is not, or is nested too deeply to be set in lines, stays as it was written.
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

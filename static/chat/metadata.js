/** Metadata as a person reads and types it: kinds, spellings, validation, and what changed. */

import { bytes } from './dom.js';
import { gettext, interpolate, ngettext } from './words.js';

const BARE = /^(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/;

/** The word for a value's kind. */
export function kind(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return { string: 'text', number: 'number', boolean: 'yes/no' }[typeof value] ?? 'object';
}

function faultyNumber(value) {
  if (typeof value === 'number') {
    const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    return exact ? null : 'This number is too large to be kept exactly. Put it in quotes to send it as text.';
  }
  const parts = value && typeof value === 'object' ? Object.values(value) : [];
  return parts.map(faultyNumber).find(Boolean) ?? null;
}

/** A typed value: JSON where it reads as JSON, else text. → {value} or {error} */
export function read(typed) {
  const text = typed.trim();
  if (!BARE.test(text) && !/^["[{]/.test(text)) return { value: typed };
  try {
    const value = JSON.parse(text);
    const error = faultyNumber(value);
    return error ? { error } : { value };
  } catch {
    if (text.startsWith('"') || BARE.test(text)) return { value: typed };
    return { error: `This starts like ${text[0] === '[' ? 'a list' : 'an object'} but is not complete JSON.` };
  }
}

/** How a row shows a value so that `read` gives the same value again. */
export function spell(value) {
  if (typeof value !== 'string') return JSON.stringify(value);
  const plain = !/[\u0000-\u001f]/.test(value) && read(value).value === value;
  return plain ? value : JSON.stringify(value);
}

/** The object that a JSON text says. → {value} or {error} */
export function parse(text, limit) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (fault) {
    return { error: `This is not JSON yet: ${String(fault.message).split('\n')[0]}.` };
  }
  if (kind(value) !== 'object') return { error: `Metadata is an object, { … }; this is ${kind(value)}.` };
  const error = faultyNumber(value) ?? tooLong(text, limit);
  return error ? { error } : { value };
}

function tooLong(text, limit) {
  const size = bytes(text);
  return limit && size > limit
    ? `This is ${size.toLocaleString('en')} bytes; the limit is ${limit.toLocaleString('en')}.`
    : null;
}

/** Rows of the editor as one JSON text, in their order. → {text, faults: [per row, a sentence or null]} */
export function assemble(rows) {
  const seen = new Set();
  const faults = rows.map(({ key, typed }) => {
    if (key === '' && typed.trim() === '') return null;
    if (key === '') return 'This value needs a key.';
    if (seen.has(key)) return `The key “${key}” is there twice.`;
    seen.add(key);
    return read(typed).error ?? null;
  });
  const kept = rows.filter(({ key }, at) => key !== '' && !faults[at]);
  const members = kept.map(({ key, typed }) => `  ${JSON.stringify(key)}: ${JSON.stringify(read(typed).value)}`);
  return { text: members.length ? `{\n${members.join(',\n')}\n}` : '{}', faults };
}

export function rowsOf(value) {
  return Object.entries(value).map(([key, part]) => ({ key, typed: spell(part) }));
}

// Equality is JSON's: key order does not count, a boolean is not a number.
function same(a, b) {
  if (Object.is(a, b) || a === b) return true;
  if (kind(a) !== kind(b) || !a || typeof a !== 'object') return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** What happened to each key between two contexts: → [{key, sign, word, before, after}], changed keys only. */
export function compare(before, after) {
  const changes = [];
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) changes.push({ key, sign: '+', word: 'added', after: value });
    else if (!same(before[key], value)) {
      changes.push({ key, sign: '±', word: 'changed', before: before[key], after: value });
    }
  }
  for (const [key, value] of Object.entries(before)) {
    if (!Object.hasOwn(after, key)) changes.push({ key, sign: '−', word: 'removed', before: value });
  }
  return changes;
}

/** "1 changed, 2 added", or "nothing changed". */
export function summary(changes) {
  const of = (word) => changes.filter((change) => change.word === word).length;
  const said = {
    changed: (count) => ngettext('%(count)s changed', '%(count)s changed', count),
    added: (count) => ngettext('%(count)s added', '%(count)s added', count),
    removed: (count) => ngettext('%(count)s removed', '%(count)s removed', count),
  };
  const parts = Object.entries(said).filter(([word]) => of(word));
  const words = parts.map(([word, words]) => interpolate(words(of(word)), { count: of(word) }));
  return words.join(gettext(', ')) || gettext('nothing changed');
}

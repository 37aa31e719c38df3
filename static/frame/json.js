/** What a host page calls metadata, held against JSON: a message may carry what no JSON can. */

import { bytes } from '../chat/dom.js';

const DEEPEST = 64;

/** → {text}, the metadata as JSON; {} where none was sent; or {faults: [{code, pointer, message}]}. */
export function metadataOf(sent, most) {
  if (sent === undefined || sent === null) return {};
  if (typeof sent !== 'object' || Array.isArray(sent)) return refused('invalid_metadata', 'Metadata must be an object.');
  // A small message may say a lot: the same object a thousand times, a long list of nothing. It is not written out.
  const strange = find(sent, '/metadata', 0, { left: most });
  if (strange?.tooLong) return tooLarge(`over ${most}`, most);
  if (strange) return refused('invalid_metadata', strange.message, strange.pointer);
  const text = JSON.stringify(sent);
  const size = bytes(text);
  if (size <= most) return { text };
  return tooLarge(size, most);
}

/** → {token}, as it was sent; {} where none was; or {faults}. Only the server can tell whether it is good. */
export function tokenOf(sent, most) {
  if (sent === undefined || sent === null) return {};
  const message = typeof sent !== 'string' || !sent ? 'A token must be text.' : sent.length > most && 'This token is too long.';
  return message ? refused('invalid_metadata_token', message, '/metadata_token') : { token: sent };
}

function tooLarge(size, most) {
  return refused('metadata_too_large', `The metadata is ${size} bytes long; at most ${most} are accepted.`);
}

function refused(code, message, pointer = '/metadata') {
  return { faults: [{ code, pointer, message }] };
}

// `budget.left`: how many more bytes the text may have.
function find(value, pointer, depth, budget) {
  const message = fault(value, depth);
  if (message) return { pointer, message };
  budget.left -= least(value);
  if (budget.left < 0) return { tooLong: true };
  if (value === null || typeof value !== 'object') return null;
  for (const [key, part] of Object.entries(value)) {
    if (!Array.isArray(value)) budget.left -= key.length;
    const found = find(part, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1, budget);
    if (found) return found;
  }
  return null;
}

// The bytes that a value takes at least, without what is in it.
function least(value) {
  return 1 + (typeof value === 'string' || Array.isArray(value) ? value.length : 0);
}

function fault(value, depth) {
  if (depth > DEEPEST) return 'This is nested too deeply.';
  if (value === null || ['string', 'boolean'].includes(typeof value)) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'This number is not one of JSON.';
  if (typeof value !== 'object') return 'This is not a value of JSON.';
  const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return plain ? null : 'This is neither an object nor a list of JSON.';
}

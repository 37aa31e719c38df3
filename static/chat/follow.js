/** What happens in a session beside our own turns: another tab, a back end, staff. No DOM, no socket. */

import { fromServer } from './history.js';
import { running as runs } from './turns.js';

/** Asks to be told, from where this browser left off, which may be the beginning. */
export function subscribeFrame(session) {
  const { id, token, place = '0' } = session;
  return JSON.stringify({ action: 'subscribe', session_id: id, session_token: token ?? undefined, after: place });
}

/** Takes one event in. → {changed: messages to draw, removed: messages to take away} */
export function follow(session, event) {
  session.place = event.id;
  return HAPPENED[event.type]?.(session, event.data, event) ?? nothing();
}

const nothing = () => ({ changed: [], removed: [] });

const HAPPENED = {
  'message.created': (session, { message }) => created(session, fromServer(message)),
  'message.deleted'(session, { message_id: id }) {
    const removed = session.messages.filter((message) => message.id === id || message.generation === id);
    session.messages = session.messages.filter((message) => !removed.includes(message));
    return { changed: [], removed };
  },
  'context.updated'(session, { version, client_context: value }, { timestamp: at }) {
    session.versions[version] = { value, at };
    session.version = Math.max(session.version, version);
  },
  'session.updated'(session, { session: told, running }) {
    session.elsewhere = running === true && !runs(session);
    session.title ||= told?.title ?? '';
  },
};

function created(session, told) {
  if (!told) return nothing();
  const known = session.messages.find((message) => isSame(message, told));
  if (known) {
    const { id, sequence, attached, debug } = told;
    Object.assign(known, { id, sequence, attached, debug });
    if (endedOtherwise(known, told)) Object.assign(known, { text: told.text, status: told.status, error: undefined });
    return { changed: [known], removed: [] };
  }
  const after = session.messages.findIndex(({ sequence }) => sequence > told.sequence);
  const unsent = session.messages.findIndex(({ state }) => state === 'sending');
  const at = [after, unsent].filter((index) => index >= 0);
  session.messages.splice(at.length ? Math.min(...at) : session.messages.length, 0, told);
  session.at = told.at;
  return { changed: [told], removed: [] };
}

// Our own turn tells its answer by itself, word by word; of one that was lost here, the server knows the end.
function endedOtherwise({ status }, told) {
  return status !== undefined && status !== 'streaming' && told.status !== undefined && status !== told.status;
}

function isSame(one, other) {
  if (one.key === other.key || (one.id !== undefined && one.id === other.id)) return true;
  return one.generation !== undefined && one.generation === other.generation;
}

/** What frames do to a session: no DOM, no socket. A message is {key, role, text, at, …}. */

import { uuid } from './dom.js';

const now = () => new Date().toISOString();

/** A new user message at the end, with what goes along:
 * `metadata`, a JSON text, or undefined to keep what is in force; `page`, the host page's text; `include`, whether
 * the metadata is put before the model; `signed`, a token of the host's back end; `asked`, the host's names for both. */
export function compose(session, text, { metadata, page, include, signed, asked } = {}) {
  const carried = { metadata, page, include, signed, asked };
  const message = { key: uuid(), role: 'user', text, at: now(), ...carried, state: 'sending' };
  session.messages.push(message);
  session.title ||= text.replace(/\s+/g, ' ').slice(0, 80);
  session.at = message.at;
  return message;
}

/** The frame of a message: the metadata goes as it was typed, so that the server judges what the user wrote. */
export function frameOf(session, mentor, message) {
  const frame = JSON.stringify({
    session_id: session.id,
    session_token: session.token ?? undefined,
    flow: { name: mentor.slug, tenant: mentor.tenant },
    prompt: message.text,
    client_message_id: message.key,
    page_content: message.page || undefined,
    include_metadata_in_prompt: message.include,
    metadata_token: message.signed,
  });
  return message.metadata === undefined ? frame : `${frame.slice(0, -1)},"metadata":${message.metadata}}`;
}

const command = (action, session, answer, rest) =>
  JSON.stringify({ action, generation_id: answer.generation, session_token: session.token ?? undefined, ...rest });

export const resumeFrame = (session, answer) => command('resume', session, answer, { after: answer.event });

export const stopFrame = (session, answer) => command('stop', session, answer);

/** The message that the server has not acknowledged, if there is one. */
export function unsent(session) {
  return session.messages.find((message) => message.state === 'sending');
}

/** The answer that is still being written, if there is one. */
export function running(session) {
  return session.messages.findLast((message) => message.status === 'streaming');
}

/** A session that the server never confirmed can be begun anew without loss. */
export function confirmed(session) {
  return session.messages.some((message) => message.state === 'sent');
}

/** The context before a message's version, where this page knows it. */
export function contextOf(session, version) {
  return version === 0 ? {} : session.versions[version]?.value;
}

/** Takes one frame in. → {kind, message}: started, data, ended, restored, refused, or ignored. */
export function apply(session, frame) {
  const id = frame.generation_id;
  const answer = id && session.messages.find(({ generation }) => generation === id);
  if ('error' in frame) return failed(session, frame, answer);
  if (frame.resumed === false) return answer ? restored(answer, frame.message) : { kind: 'ignored' };
  if ('context' in frame) return started(session, frame, answer);
  if (!answer || frame.event <= answer.event) return { kind: 'ignored' };
  answer.event = frame.event;
  if (frame.eos) return ended(answer, frame);
  answer.text += frame.data ?? '';
  return { kind: 'data', message: answer };
}

function started(session, frame, known) {
  const message = session.messages.find(({ key }) => key === frame.client_message_id);
  if (!message) return { kind: 'ignored' };
  const { version, warnings } = frame.context;
  // A turn that is told again says `changed: false`: then a version that is new to this page shows it.
  const newHere = message.metadata !== undefined && version > session.version;
  const changed = message.changed || frame.context.changed || newHere;
  const { user_message_id: id, sequence } = frame;
  Object.assign(message, { id, state: 'sent', sequence: sequence - 1, version, changed });
  message.warnings ??= warnings ?? [];
  // What is signed may say more than this page knows: the server tells it as an event.
  if (message.metadata !== undefined && message.signed === undefined && version > 0) {
    session.versions[version] ??= { value: JSON.parse(message.metadata), at: now() };
  }
  // The page's text and the token are the host's: nothing here keeps them once they have been delivered.
  message.wasSigned = message.signed !== undefined;
  delete message.page;
  delete message.signed;
  session.version = Math.max(session.version, version);
  session.token = frame.session_token ?? session.token;
  const answer = known ?? { key: uuid(), role: 'mentor', at: now(), generation: frame.generation_id };
  // A repeated start tells the turn from its beginning.
  Object.assign(answer, { text: '', event: frame.event, status: 'streaming', sequence, version });
  if (!known) session.messages.splice(session.messages.indexOf(message) + 1, 0, answer);
  return { kind: 'started', message, answer };
}

function ended(answer, frame) {
  Object.assign(answer, { status: frame.status ?? 'complete', usage: frame.usage, error: undefined });
  return { kind: 'ended', message: answer };
}

function restored(answer, stored) {
  // A server that died may have stored less than it had sent: what was read here stays here.
  const cut = stored.status === 'streaming' || stored.status === 'interrupted';
  const seen = cut && answer.text.startsWith(stored.content);
  Object.assign(answer, { text: seen ? answer.text : stored.content, status: stored.status });
  return { kind: stored.status === 'streaming' ? 'restored' : 'ended', message: answer };
}

function failed(session, frame, answer) {
  const error = { text: frame.error, code: frame.code, status: frame.status_code, details: frame.details ?? [] };
  if (frame.retry_after) error.wait = Math.ceil(frame.retry_after);
  if (answer) {
    Object.assign(answer, { status: frame.status ?? 'failed', error });
    return { kind: 'ended', message: answer };
  }
  const message = unsent(session);
  if (message) {
    Object.assign(message, { state: 'refused', error });
    return { kind: 'refused', message };
  }
  const lost = running(session);
  if (!lost) return { kind: 'ignored' };
  Object.assign(lost, { status: 'interrupted', error });
  return { kind: 'ended', message: lost };
}

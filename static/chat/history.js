/** Stored messages, as `GET /api/v1/sessions/{id}/messages/` and live events tell them, in the transcript's shape. */

const ROLES = { user: 'user', assistant: 'mentor', service: 'service' };
const KINDS = { notice: 'notice', note: 'note', command: 'command', 'command-response': 'response' };

/**
 * → null for what is never shown (logs, and what was taken out), else
 * {key, id, sequence, role, type, by, sender, text, contentType, at, version, attached, debug, status or state}.
 *
 * `role` is 'user' or 'mentor' for the two sides of the conversation only, so that what looks for a question or for a
 * running answer by it finds no other message; of others it says the kind, or 'service', and `by` says whose it is:
 * 'user', 'mentor' or 'service'. A user's message has the `key` under which it was sent from here; an answer has its
 * `generation`, and one that is still written has no text: it is to be resumed after `event` 0, which tells it whole.
 * What the sender attached is `attached`: `metadata` is the context that a message from here carries, a JSON text.
 */
export function fromServer(message) {
  const { id, message_type: type = 'chat', status = 'complete', has_debug_data: debug } = message;
  if (type === 'log' || message.deleted_at) return null;
  const by = ROLES[message.sender?.participant_role] ?? 'service';
  const role = type === 'chat' ? by : KINDS[type] ?? 'note';
  return {
    key: role === 'user' ? message.client_message_id || id : id,
    id,
    sequence: message.sequence,
    role,
    type,
    by,
    sender: message.sender?.participant_id,
    text: typeof message.content === 'string' ? message.content : '',
    contentType: message.content_type,
    at: message.timestamp,
    version: message.context_version,
    attached: message.metadata,
    debug: debug === true,
    ...(role === 'user' ? { state: 'sent', warnings: [] } : { status }),
    ...(role === 'mentor' && answering(id, status)),
  };
}

function answering(id, status) {
  return status === 'streaming' ? { generation: id, event: 0, text: '' } : { generation: id };
}

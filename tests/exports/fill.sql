-- Sessions of ten messages each, under a context of six keys, for the first mentor there is.
INSERT INTO chat_session (id, tenant_id, mentor_id, user_id, anonymous, title, metadata, context_version,
  context_digest, next_sequence, created_at, updated_at, turn_fence, turn_holder, turn_stop)
SELECT md5('session' || i)::uuid, m.tenant_id, m.id, 'user-' || i %% 100, false, '', jsonb_build_object('client_context',
  jsonb_build_object('stateCode', 'S' || i %% 50, 'plan', 'P' || i %% 7, 'n', i, 'url', md5(i::text), 'on', true, 'a', 'b')),
  1, 'x', 11, now() - i * interval '1 minute', now(), 0, '', false
FROM generate_series(1, %(sessions)s) i, (SELECT id, tenant_id FROM chat_mentor ORDER BY id LIMIT 1) m;
INSERT INTO chat_sessioncontextversion (session_id, number, text, value, verified_keys, author, door, created_at)
SELECT id, 1, replace((metadata -> 'client_context')::text, ' ', ''), metadata -> 'client_context', '[]', '', 'ws',
  created_at FROM chat_session;
INSERT INTO chat_chatmessagehistory (id, session_id, sequence, role, message_type, content, text, content_type,
  metadata, payload_digest, status, created_at, finished_at)
SELECT md5(s.id || '/' || n)::uuid, s.id, n, CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'mentor' END, 'chat',
  repeat(md5(n || s.id::text) || ' ', 10), NULL, 'text/plain', '{}', '', 'complete', s.created_at, s.created_at
FROM chat_session s, generate_series(1, 10) n;
INSERT INTO chat_chatmessagehistoryextra (message_id, session_id, metadata, context_version, delivery, mentor_version,
  model, finish_reason, error, page_content_sha256, page_content)
SELECT m.id, m.session_id, s.metadata -> 'client_context', 1, 'user_block', 1, '', '', '', '', ''
FROM chat_chatmessagehistory m JOIN chat_session s ON s.id = m.session_id;
ANALYZE;

-- The tables at scale. {sessions} of ten messages each, one of 10,000. The quiet tenant has only old ones, so its
-- newest lie behind everybody else's.
INSERT INTO chat_tenant (key, name, time_zone, created_at)
SELECT key, key, 'UTC', now() FROM unnest(ARRAY['big', 'medium', 'quiet', 'small']) AS key;
INSERT INTO chat_mentor (tenant_id, slug, name, unique_id, system_prompt, greeting_method, greeting_text, model,
  model_parameters, history_window, context_delivery, description, starter_prompts, keep_page_content,
  allow_anonymous, anonymous_continuation, allowed_origins, is_active, version, revision, created_at, updated_at)
SELECT t.id, 'mentor-' || n, 'Mentor ' || n, gen_random_uuid(), repeat('Be brief. ', 200), 'proactive_response',
  '', '', '{}', 20, 'user_block', '', '[]', false, true, 'session_token', '[]', true, 1, 1, now(), now()
FROM chat_tenant t, generate_series(1, 20) n;
INSERT INTO chat_mentorversion (mentor_id, number, created_at, system_prompt, greeting_method, greeting_text, model,
  model_parameters, history_window, context_delivery)
SELECT id, 1, now(), system_prompt, greeting_method, '', '', '{}', 20, 'user_block' FROM chat_mentor;

CREATE TEMP TABLE made AS
SELECT i, gen_random_uuid() AS id, now() - ({sessions} - i) * (interval '365 days' / {sessions}) AS at,
  CASE WHEN i <= {sessions} * 0.05 THEN 'quiet' WHEN i % 1000 = 0 THEN 'small'
       WHEN i % 4 = 0 THEN 'medium' ELSE 'big' END AS tenant,
  CASE WHEN i = {sessions} - 1 THEN 10000 ELSE 10 END AS messages
FROM generate_series(1, {sessions}) i;
INSERT INTO chat_session (id, tenant_id, mentor_id, user_id, anonymous, title, metadata, context_version,
  context_digest, next_sequence, created_at, updated_at, turn_fence, turn_holder, turn_stop)
SELECT s.id, t.id, (SELECT min(id) FROM chat_mentor WHERE tenant_id = t.id) + s.i % 20,
  CASE WHEN s.i % 5 = 0 THEN '' ELSE 'user-' || s.i % 20000 END, s.i % 5 = 0, '',
  jsonb_build_object('client_context', jsonb_build_object('stateCode', chr(65 + (s.i % 26)::int), 'n', s.i)),
  s.messages / 5, 'x', s.messages + 1, s.at, s.at + interval '10 minutes', 0, '', false
FROM made s JOIN chat_tenant t ON t.key = s.tenant;
INSERT INTO chat_sessioncontextversion (session_id, number, text, value, verified_keys, author, door, created_at)
SELECT s.id, v, context, context::jsonb, '["stateCode"]', 'token:backend', 'ws', s.at
FROM made s, generate_series(1, s.messages / 5) v,
  LATERAL (SELECT json_build_object('stateCode', chr(64 + v % 26), 'page', v)::text AS context) AS c;

CREATE TEMP TABLE said AS
SELECT s.id AS session_id, n, s.at + n * interval '20 seconds' AS at, s.i,
  CAST(lpad(to_hex((extract(epoch FROM s.at + n * interval '20 seconds') * 1000)::bigint), 12, '0')
    || '7' || substr(md5(s.i || '-' || n), 1, 3) || '8' || substr(md5(s.i || ' ' || n), 1, 15) AS uuid) AS id
FROM made s, generate_series(1, s.messages) n;
INSERT INTO chat_chatmessagehistory (id, session_id, sequence, role, message_type, content, text, content_type,
  metadata, client_message_id, payload_digest, status, created_at, finished_at)
SELECT id, session_id, n, CASE WHEN n % 2 = 1 THEN 'user' ELSE 'mentor' END, 'chat',
  repeat(md5(i || ' ' || n) || ' ', CASE WHEN n % 2 = 1 THEN 10 ELSE 30 END),
  CASE WHEN n % 2 = 1 THEN repeat(md5(i || ' ' || n) || ' ', 4) END, 'text/plain', '{}',
  CASE WHEN n % 2 = 1 THEN 'web-' || md5(i || '/' || n) END, md5(n::text) || md5(i::text),
  CASE WHEN n % 2 = 1 OR i % 20 > 0 THEN 'complete' WHEN i % 40 = 0 THEN 'failed' ELSE 'stopped' END, at, at
FROM said;
INSERT INTO chat_chatmessagehistoryextra (message_id, session_id, metadata, context_version, delivery, mentor_version, model,
  finish_reason, error, prompt_tokens, completion_tokens, page_content_sha256, page_content)
SELECT id, session_id, jsonb_build_object('stateCode', chr(64 + ((n + 4) / 5) % 26), 'page', (n + 4) / 5), (n + 4) / 5,
  'user_block', 1, CASE WHEN n % 2 = 0 THEN 'model' ELSE '' END, '', '', 900, 120, '', '' FROM said;

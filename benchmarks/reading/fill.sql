-- Sessions with what belongs to them: {sessions} of 2 to 18 messages, ten on average, over {days} days.
-- h(i, n) are 31 bits that look like chance and are the same in every run; u(i, n) the same from 0 to 1; z(…, most)
-- a place from 1 to most whose n-th is about n times rarer than the first.
CREATE FUNCTION pg_temp.h(i bigint, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
  'SELECT hashint8extended(i, n) & 2147483647';
CREATE FUNCTION pg_temp.u(i bigint, n bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS
  'SELECT (hashint8extended(i, n) & 2147483647) / 2147483648.0::double precision';
CREATE FUNCTION pg_temp.z(i bigint, n bigint, most int) RETURNS int LANGUAGE sql IMMUTABLE AS
  'SELECT floor(exp((hashint8extended(i, n) & 2147483647) / 2147483648.0::double precision * ln(most::double precision)))::int';

INSERT INTO chat_tenant (key, name, time_zone, pinned_keys, created_at)
SELECT 'tenant-' || n, 'Tenant ' || n, CASE WHEN n = 1 THEN 'America/New_York' ELSE 'UTC' END, '{pinned}', now()
FROM generate_series(1, 7) n ORDER BY n;
INSERT INTO chat_mentor (tenant_id, slug, name, unique_id, system_prompt, greeting_method, greeting_text, model,
  model_parameters, history_window, context_delivery, description, starter_prompts, keep_page_content,
  allow_anonymous, anonymous_continuation, allowed_origins, is_active, version, revision, created_at, updated_at)
SELECT t.id, 'mentor-' || n, 'Mentor ' || n, gen_random_uuid(), 'Be brief. The state is {stateCode}.',
  'proactive_response', '', '', '{}', 20, 'user_block', '', '[]', false, true, 'session_token', '[]', true, 1, 1,
  now(), now()
FROM chat_tenant t, generate_series(1, 10) n ORDER BY t.id, n;
INSERT INTO chat_mentorversion (mentor_id, number, created_at, system_prompt, greeting_method, greeting_text, model,
  model_parameters, history_window, context_delivery)
SELECT id, 1, now(), system_prompt, greeting_method, '', '', '{}', 20, 'user_block' FROM chat_mentor;

CREATE TEMP TABLE made AS
SELECT i, md5('session ' || i) AS hash, t.id AS tenant_id,
  (SELECT min(m.id) FROM chat_mentor m WHERE m.tenant_id = t.id) + pg_temp.z(i, 2, 10) - 1 AS mentor_id,
  CASE WHEN pg_temp.h(i, 3) % 5 = 0 THEN '' ELSE 'user-' || pg_temp.z(i, 4, 50000) END AS user_id,
  now() - pg_temp.u(i, 5) * interval '{days} days' AS at,
  1 + (pg_temp.h(i, 6) % 9)::int AS turns,
  CASE WHEN pg_temp.u(i, 7) < 0.05 THEN 3 WHEN pg_temp.u(i, 7) < 0.2 THEN 2 ELSE 1 END AS versions,
  CASE WHEN pg_temp.u(i, 8) < 0.06 THEN 'zh' ELSE 'en' END AS said_in
FROM generate_series(1::bigint, {sessions}) i
JOIN LATERAL (SELECT CASE WHEN pg_temp.u(i, 1) < 0.43 THEN 1 WHEN pg_temp.u(i, 1) < 0.65 THEN 2
  WHEN pg_temp.u(i, 1) < 0.79 THEN 3 WHEN pg_temp.u(i, 1) < 0.88 THEN 4 WHEN pg_temp.u(i, 1) < 0.94 THEN 5
  WHEN pg_temp.u(i, 1) < 0.98 THEN 6 ELSE 7 END AS n) p ON true
JOIN chat_tenant t ON t.key = 'tenant-' || p.n;
UPDATE made SET versions = least(versions, turns);
ALTER TABLE made ADD id uuid;
UPDATE made SET id = CAST(substr(hash, 1, 12) || '4' || substr(hash, 14, 3) || '8' || substr(hash, 18, 15) AS uuid);

-- What the context was by version: six keys. A change turns the page, and sometimes moves the user.
CREATE TEMP TABLE known AS
SELECT i, id, v, at, turns, versions, json_build_object(
    'stateCode', CASE WHEN pg_temp.h(i, 10) % 50000 = 7 THEN 'GU' ELSE (ARRAY[{states}])[pg_temp.z(i + CASE
      WHEN v > 1 AND pg_temp.h(i, 11) % 4 = 0 THEN v ELSE 0 END, 12, 50)] END,
    'productGroup', (ARRAY['LICENSING','CE','EXAM','TAX','ETHICS','LIFE','HEALTH','CLAIMS','AUTO','HOME','BOAT','PET'])
      [pg_temp.z(i, 13, 12)],
    'language', CASE WHEN said_in = 'zh' THEN 'zh' ELSE
      (ARRAY['en','es','fr','de','pt','vi','ko','tl','ru','ar'])[pg_temp.z(i, 14, 10)] END,
    'appVersion', pg_temp.z(i, 15, 40),
    'cohort', 'cohort-' || pg_temp.z(i, 16, 200),
    'page', '/lesson/' || pg_temp.z(i * 7 + v, 17, 5000))::text AS text
FROM made, LATERAL generate_series(1, versions) v;
ALTER TABLE known ADD block text;
UPDATE known SET block = E'\n\n<CONTEXT METADATA> Here is additional context metadata for this conversation:\n'
  || (SELECT string_agg(key || ': ' || value, E'\n') FROM json_each_text(text::json)) || E'\n</END CONTEXT METADATA>';
CREATE UNIQUE INDEX ON known (i, v);
ANALYZE made, known;

INSERT INTO chat_session (id, tenant_id, mentor_id, user_id, anonymous, title, metadata, context_version,
  context_digest, next_sequence, created_at, updated_at, turn_fence, turn_holder, turn_stop)
SELECT m.id, m.tenant_id, m.mentor_id, m.user_id, m.user_id = '', '',
  jsonb_build_object('client_context', k.text::jsonb), m.versions, 'u' || substr(md5(k.text), 2), m.turns * 2 + 1,
  m.at, m.at + m.turns * interval '40 seconds', m.turns, '', false
FROM made m JOIN known k ON k.i = m.i AND k.v = m.versions ORDER BY m.at;
INSERT INTO chat_sessioncontextversion (session_id, number, text, value, verified_keys, author, door, created_at)
SELECT id, v, text, text::jsonb, '[]', 'anonymous', 'ws',
  at + ((v - 1) * turns / versions) * interval '40 seconds'
FROM known ORDER BY at, v;

-- Each turn is a question and an answer; a version is in force for its share of them.
CREATE TEMP TABLE said AS
SELECT m.i * 32 + n AS j, m.i, m.id AS session_id, n, m.said_in,
  CASE m.said_in WHEN 'zh' THEN {zh} ELSE {en} END AS choice, 1 + ((n - 1) / 2) * m.versions / m.turns AS v,
  m.at + ((n - 1) / 2) * interval '40 seconds' + ((n - 1) % 2) * interval '1 millisecond' AS at,
  CASE WHEN n % 2 = 0 THEN 150 * exp(pg_temp.u(m.i * 32 + n, 20) * 3) END AS ttft_ms,
  CASE WHEN n % 2 = 1 OR pg_temp.u(m.i * 32 + n, 21) < 0.975 THEN 'complete'
    WHEN pg_temp.u(m.i * 32 + n, 21) < 0.985 THEN 'failed' WHEN pg_temp.u(m.i * 32 + n, 21) < 0.99 THEN 'interrupted'
    ELSE 'stopped' END AS status
FROM made m, LATERAL generate_series(1, m.turns * 2) n;
ALTER TABLE said ADD id uuid;
UPDATE said SET id = CAST(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
  || substr(md5(j::text), 1, 3) || '8' || substr(md5(j::text), 4, 15) AS uuid);
ANALYZE said;
INSERT INTO chat_chatmessagehistory (id, session_id, sequence, role, message_type, content, text, content_type,
  metadata, client_message_id, payload_digest, status, created_at, finished_at)
SELECT s.id, s.session_id, s.n, CASE WHEN s.n % 2 = 1 THEN 'user' ELSE 'mentor' END, 'chat', CASE WHEN s.n % 2 = 1
    THEN w.words || k.block ELSE w.words || ' ' || more.sentence || ' ' || most.sentence END,
  CASE WHEN s.n % 2 = 1 THEN w.words END, CASE WHEN s.n % 2 = 1 THEN 'text/plain' ELSE 'text/markdown' END, '{}',
  CASE WHEN s.n % 2 = 1 THEN 'web-' || s.j END, '', s.status, s.at,
  s.at + COALESCE(s.ttft_ms * 4, 0) * interval '1 millisecond'
FROM said s JOIN known k USING (i, v)
JOIN sentence one ON one.said_in = s.said_in AND one.n = pg_temp.h(j, 30) % s.choice
JOIN sentence more ON more.said_in = s.said_in AND more.n = pg_temp.h(j, 31) % s.choice
JOIN sentence most ON most.said_in = s.said_in AND most.n = pg_temp.h(j, 32) % s.choice,
LATERAL (SELECT one.sentence || CASE WHEN pg_temp.h(j, 33) % 50000 > 0 THEN '' WHEN s.said_in = 'zh' THEN '颐和园'
  ELSE ' An usufruct in escrow.' END AS words) w;
INSERT INTO chat_chatmessagehistoryextra (message_id, session_id, metadata, context_version, delivery, mentor_version,
  model, finish_reason, error, prompt_tokens, completion_tokens, ttft_ms, duration_ms, page_content_sha256,
  page_content)
SELECT s.id, s.session_id, k.text::jsonb, v, 'user_block', 1, CASE WHEN n % 2 = 0 THEN 'scripted' ELSE '' END,
  CASE WHEN n % 2 = 0 THEN 'stop' ELSE '' END, '', CASE WHEN n % 2 = 0 THEN (200 + n * 60) END,
  CASE WHEN n % 2 = 0 THEN (40 + pg_temp.h(j, 40) % 300) END, ttft_ms, ttft_ms * 4, '', ''
FROM said s JOIN known k USING (i, v);

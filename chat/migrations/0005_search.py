"""The words of every finished message in an index, for PostgreSQL."""

from django.db import migrations

from chat.filters.words import SEARCHED_CHARACTERS, UNSPACED

SIGNS = r"[!-/:-@\[-`{-~]"
# Runs of scripts without spaces become pairs of characters that overlap: those of even places, then those of
# odd ones (the run without its first character). The last character is left over by one of the two, so that a
# single character is found as the beginning of a pair or as itself.
FUNCTION = f"""
CREATE FUNCTION chat_words(words text, at timestamptz) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
DECLARE
  -- PostgreSQL's parser knows addresses, paths and decimals: without their signs all of them are words.
  plain text := regexp_replace(lower(left(words, {SEARCHED_CHARACTERS})), '{SIGNS}', ' ', 'g');
BEGIN
  IF plain ~ '[{UNSPACED}]' THEN
    plain := regexp_replace(plain, '([{UNSPACED}]+)', ' \\1 ', 'g');
    plain := regexp_replace(plain, '([{UNSPACED}]{{1,2}})', '\\1 ', 'g') || ' ' || regexp_replace(
      regexp_replace(regexp_replace(plain, '[^{UNSPACED}]+', ' ', 'g'), '(^| )[{UNSPACED}]', ' ', 'g'),
      '([{UNSPACED}]{{1,2}})', '\\1 ', 'g');
  END IF;
  -- The week narrows a common word to the months that a question is about.
  RETURN strip(to_tsvector('simple'::regconfig, plain))
    || array_to_tsvector(ARRAY['@' || floor(extract(epoch FROM at) / 604800)::bigint]);
END $$;
"""
# An answer that grows would be taken apart again with every piece: it is when it is whole.
INDEX = """
CREATE INDEX message_words ON chat_chatmessagehistory USING gin (chat_words(COALESCE(text, content), created_at))
WHERE status <> 'streaming'
"""


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # A large table's words take their time.
        schema_editor.execute("SET LOCAL statement_timeout = 0")
        schema_editor.execute(FUNCTION)
        schema_editor.execute(INDEX)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX message_words")
        schema_editor.execute("DROP FUNCTION chat_words(text, timestamptz)")


class Migration(migrations.Migration):
    dependencies = [("chat", "0004_rollups")]
    operations = [migrations.RunPython(create, drop)]

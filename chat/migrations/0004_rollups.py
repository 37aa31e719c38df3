"""Counts kept ahead, and the marks that keep them right."""

import django.db.models.deletion
from django.db import migrations, models

# A session that is not of today any more leaves a mark when it comes, goes, or changes in what is counted. The
# lease that a running turn renews every two seconds is none of that.
CREATE = """
CREATE FUNCTION chat_mark_rollup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO chat_rollupmark (tenant_id, at) VALUES (OLD.tenant_id, OLD.created_at);
  END IF;
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND
      (NEW.tenant_id, NEW.created_at) IS DISTINCT FROM (OLD.tenant_id, OLD.created_at)) THEN
    INSERT INTO chat_rollupmark (tenant_id, at) VALUES (NEW.tenant_id, NEW.created_at);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER mark_new AFTER INSERT ON chat_session FOR EACH ROW
  WHEN (NEW.created_at < clock_timestamp() - interval '24 hours') EXECUTE FUNCTION chat_mark_rollup();
CREATE TRIGGER mark_gone AFTER DELETE ON chat_session FOR EACH ROW
  WHEN (OLD.created_at < clock_timestamp() - interval '24 hours') EXECUTE FUNCTION chat_mark_rollup();
CREATE TRIGGER mark_changed AFTER UPDATE OF tenant_id, mentor_id, metadata, next_sequence, created_at, turn_id
  ON chat_session FOR EACH ROW
  WHEN (LEAST(OLD.created_at, NEW.created_at) < clock_timestamp() - interval '24 hours')
  EXECUTE FUNCTION chat_mark_rollup();
"""
DROP = """
DROP TRIGGER mark_new ON chat_session;
DROP TRIGGER mark_gone ON chat_session;
DROP TRIGGER mark_changed ON chat_session;
DROP FUNCTION chat_mark_rollup();
"""


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0003_reading"),
    ]

    operations = [
        migrations.CreateModel(
            name="RollupMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tenant_id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["tenant_id", "at"], name="rollup_mark_day")],
            },
        ),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("key", models.SmallIntegerField(default=-1)),
                ("other_key", models.SmallIntegerField(default=-1)),
                ("value", models.JSONField(null=True)),
                ("other_value", models.JSONField(null=True)),
                ("sessions", models.IntegerField()),
                ("messages", models.IntegerField()),
                ("failures", models.IntegerField()),
                ("prompt_tokens", models.BigIntegerField()),
                ("completion_tokens", models.BigIntegerField()),
                (
                    "mentor",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="chat.mentor",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="chat.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["tenant", "key", "other_key", "day"],
                        include=(
                            "mentor",
                            "value",
                            "other_value",
                            "sessions",
                            "messages",
                            "failures",
                            "prompt_tokens",
                            "completion_tokens",
                        ),
                        name="rollup_read",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RollupDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("fingerprint", models.CharField(max_length=32)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="chat.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "day"), name="rollup_day")],
            },
        ),
        migrations.RunPython(create, drop),
    ]

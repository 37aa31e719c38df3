"""What readers need: keys that a tenant counts ahead, and the session beside what its answers took and cost."""

import chat.models.tenants
import django.db.models.deletion
from django.db import migrations, models

FILL = (
    "UPDATE chat_chatmessagehistoryextra SET session_id = (SELECT m.session_id FROM chat_chatmessagehistory m "
    "WHERE m.id = chat_chatmessagehistoryextra.message_id)"
)
# What answers took and cost, by session, without a look into the table. Questions and answers that are still
# being written took nothing: a turn puts one entry into it.
INDEX = (
    "CREATE INDEX extra_of_session ON chat_chatmessagehistoryextra (session_id) "
    "INCLUDE (ttft_ms, duration_ms, prompt_tokens, completion_tokens) "
    "WHERE (ttft_ms IS NOT NULL OR duration_ms IS NOT NULL "
    "OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)"
)


def create(apps, schema_editor):
    included = schema_editor.connection.vendor == "postgresql"
    schema_editor.execute(INDEX if included else INDEX.split(" INCLUDE")[0])


def drop(apps, schema_editor):
    schema_editor.execute("DROP INDEX extra_of_session")


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_context_index")]
    operations = [
        migrations.AddField(
            "tenant",
            "pinned_keys",
            models.JSONField(
                blank=True,
                default=list,
                help_text='Up to eight keys of the client context that are counted ahead, such as "order.region".',
                validators=[chat.models.tenants._check_pinned_keys],
            ),
        ),
        migrations.AddField(
            "chatmessagehistoryextra",
            "session",
            models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="extras",
                to="chat.session",
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            "chatmessagehistoryextra",
            "session",
            models.ForeignKey(
                db_index=False,
                editable=False,
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="extras",
                to="chat.session",
            ),
        ),
        migrations.RunPython(create, drop),
        migrations.AddIndex(
            "chatmessagehistory",
            models.Index(
                fields=["session"],
                name="message_failed",
                condition=models.Q(("status__in", ("failed", "interrupted"))),
            ),
        ),
    ]

"""JSON containment on the client context, where the database has an index for it."""

from django.db import migrations

CREATE = (
    "CREATE INDEX session_client_context ON chat_session "
    "USING gin ((metadata -> 'client_context') jsonb_path_ops)"
)


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX session_client_context")


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_records")]
    operations = [migrations.RunPython(create, drop)]

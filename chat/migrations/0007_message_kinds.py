"""What messages of any kind carry, what is taken out of a session, and what a frame shows of the context."""

import chat.models.tenants
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0006_refusals'),
    ]

    operations = [
        migrations.CreateModel(
            name='MessageDebug',
            fields=[
                ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='debug', serialize=False, to='chat.chatmessagehistory')),
                ('data', models.JSONField()),
            ],
        ),
        migrations.AddField(
            model_name='chatmessagehistory',
            name='deleted_at',
            field=models.DateTimeField(help_text='Since then only its place and its snapshot are left.', null=True),
        ),
        migrations.AddField(
            model_name='chatmessagehistory',
            name='filenames',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='chatmessagehistory',
            name='rejected_metadata',
            field=models.JSONField(help_text="Keys of it that the sender may not set: kept, and shown as nobody's word.", null=True),
        ),
        migrations.AddField(
            model_name='chatmessagehistory',
            name='sender_id',
            field=models.CharField(blank=True, db_default='', help_text="Empty: the session's user, or its mentor.", max_length=255),
        ),
        migrations.AddField(
            model_name='mentor',
            name='show_context',
            field=models.BooleanField(default=False, help_text='Users of the embedded frame are shown what the mentor knows of them.'),
        ),
        migrations.AlterField(
            model_name='mentor',
            name='allowed_origins',
            field=models.JSONField(blank=True, default=list, help_text='Origins of pages that may frame this mentor and talk to it, such as https://example.org, https://*.example.org or http://localhost:*; * is any.', validators=[chat.models.tenants._check_origins]),
        ),
        migrations.AddIndex(
            model_name='chatmessagehistory',
            index=models.Index(condition=models.Q(('deleted_at__isnull', False)), fields=['session', 'deleted_at'], name='message_deleted'),
        ),
    ]

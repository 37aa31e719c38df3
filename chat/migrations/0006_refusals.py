"""What was refused of payloads, or cut or kept out of them, counted."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0005_search'),
    ]

    operations = [
        migrations.CreateModel(
            name='Refusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text="Of UTC's calendar.")),
                ('code', models.CharField(max_length=50)),
                ('pointer', models.CharField(max_length=255)),
                ('door', models.CharField(max_length=20)),
                ('count', models.PositiveIntegerField()),
                ('last_at', models.DateTimeField()),
                ('last_message', models.CharField(help_text='What the client was told.', max_length=500)),
                ('last_session', models.UUIDField(null=True)),
                ('mentor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='chat.mentor')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='chat.tenant')),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', '-day'], name='refusal_tenant_newest'), models.Index(fields=['day'], name='refusal_day'), models.Index(condition=models.Q(('last_session__isnull', False)), fields=['last_session'], name='refusal_session')],
                'constraints': [models.UniqueConstraint(fields=('mentor', 'day', 'code', 'pointer', 'door'), name='refusal_once_a_day')],
            },
        ),
    ]

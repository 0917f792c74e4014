# Made by Django 5.2.19

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0003_budgets'),
    ]

    operations = [
        migrations.CreateModel(
            name='SweepRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('by_hand', models.BooleanField(default=False)),
                ('dry', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('asking', 'Asking')], default='running', max_length=10)),
                ('reason', models.TextField(blank=True)),
                ('report', models.JSONField(blank=True, default=dict)),
                ('asked', models.JSONField(blank=True, default=dict)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('approved_by', models.CharField(blank=True, max_length=150)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Ghost',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200)),
                ('first_seen', models.DateTimeField()),
                ('last_seen', models.DateTimeField()),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('resource', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='ghost', to='provisioning.resource')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Stray',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=10)),
                ('kind', models.CharField(max_length=20)),
                ('external_id', models.CharField(max_length=200)),
                ('name', models.CharField(max_length=100)),
                ('meta', models.JSONField(blank=True, default=dict)),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('first_seen', models.DateTimeField()),
                ('last_seen', models.DateTimeField()),
                ('sightings', models.PositiveIntegerField(default=1)),
                ('why', models.CharField(blank=True, max_length=200)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('cleared_at', models.DateTimeField(blank=True, null=True)),
                ('deleted_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('provider', 'kind', 'external_id'), name='stray_once'), models.CheckConstraint(condition=models.Q(('sightings__gte', 1)), name='stray_was_seen')],
            },
        ),
    ]

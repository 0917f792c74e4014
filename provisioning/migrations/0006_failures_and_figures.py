from django.db import migrations, models

# Of what failed and was retried or torn down since, nothing is known any more.
BACKFILL = """
UPDATE provisioning_resource SET failed_at = settled_at, failed_reason = coalesce(left(error->>'reason', 20), '')
WHERE state = 'failed' AND settled_at IS NOT NULL
"""
# Whoever fails a row has its failure remembered: `error` is cleared by a retry and by a teardown, this is not.
RULES = """
CREATE FUNCTION provisioning_resource_failure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.failed_at := coalesce(NEW.failed_at, OLD.failed_at);
    NEW.failed_reason := coalesce(nullif(NEW.failed_reason, ''), OLD.failed_reason);
    IF OLD.state = 'failed' THEN
      RETURN NEW;
    END IF;
  END IF;
  IF NEW.state = 'failed' THEN
    NEW.settled_at := coalesce(NEW.settled_at, clock_timestamp());
    NEW.failed_at := NEW.settled_at;
    NEW.failed_reason := coalesce(left(NEW.error->>'reason', 20), '');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER resource_failure BEFORE INSERT OR UPDATE ON provisioning_resource
  FOR EACH ROW EXECUTE FUNCTION provisioning_resource_failure();
"""
NO_RULES = """
DROP TRIGGER resource_failure ON provisioning_resource;
DROP FUNCTION provisioning_resource_failure();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('provisioning', '0005_full_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='resource',
            name='failed_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='resource',
            name='failed_reason',
            field=models.CharField(blank=True, default='', max_length=20),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name='resource',
            index=models.Index(fields=['created_at'], include=['session', 'provider', 'started_at', 'settled_at', 'failed_at'], name='resource_begun'),
        ),
        migrations.AddIndex(
            model_name='resource',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['failed_at'], name='resource_failed_once'),
        ),
        migrations.AddIndex(
            model_name='resource',
            index=models.Index(condition=models.Q(('provider', 'e2b'), ('state', 'ready')), fields=['session'], name='resource_sandbox_up'),
        ),
        migrations.RunSQL(RULES, NO_RULES),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
    ]

from django.db import migrations

RULES = """
CREATE FUNCTION sessions_app_event_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the event log is only ever added to'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'event_log_is_append_only';
END $$;
CREATE TRIGGER event_rules BEFORE UPDATE OR DELETE ON sessions_app_event
  FOR EACH ROW EXECUTE FUNCTION sessions_app_event_rules();
"""
NO_RULES = """
DROP TRIGGER event_rules ON sessions_app_event;
DROP FUNCTION sessions_app_event_rules();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0002_turn_base_tree"),
    ]

    operations = [migrations.RunSQL(RULES, NO_RULES)]

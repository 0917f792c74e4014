from django.db import migrations

RULES = """
CREATE FUNCTION staff_entry_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only ever added to'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_log_is_append_only';
END $$;
CREATE TRIGGER entry_rules BEFORE UPDATE OR DELETE ON staff_entry
  FOR EACH ROW EXECUTE FUNCTION staff_entry_rules();
"""
NO_RULES = """
DROP TRIGGER entry_rules ON staff_entry;
DROP FUNCTION staff_entry_rules();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("staff", "0001_initial"),
    ]

    operations = [migrations.RunSQL(RULES, NO_RULES)]

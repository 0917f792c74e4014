-- The database keeps what a version that was left put there: a column of another type is set aside under a name of its
-- own, and a limit to other choices is lifted.
do $$
declare
  wanted record;
begin
  for wanted in select * from (values %%TYPES%%) as fields (name, type) loop
    execute format('alter table %%TABLE%% drop constraint if exists %I', '%%TABLE%%_' || wanted.name || '_choice');
    if exists (
      select from information_schema.columns
      where table_schema = current_schema() and table_name = '%%TABLE%%'
        and column_name = wanted.name and data_type <> wanted.type
    ) then
      execute format('alter table %%TABLE%% rename column %I to %I', wanted.name, wanted.name || to_char(now(), '_YYYYMMDDHH24MISS'));
    end if;
  end loop;
end $$;

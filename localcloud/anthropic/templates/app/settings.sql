create table if not exists app_settings (
  name text primary key,
  value text not null
);

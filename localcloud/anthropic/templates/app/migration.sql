create table if not exists %%TABLE%% (
  id integer generated always as identity primary key,
%%COLUMNS%%
  created_at timestamptz not null default now()
);

%%ADDED%%%%CHECKS%%create index if not exists %%TABLE%%_newest on %%TABLE%% (created_at desc);

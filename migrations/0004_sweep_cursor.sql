-- How far the cron sweep has come in what it goes through a part at a time; empty: it begins anew.
CREATE TABLE sweep_cursor (
  name TEXT PRIMARY KEY,
  position TEXT NOT NULL
);

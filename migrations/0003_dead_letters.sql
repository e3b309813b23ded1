-- Messages of `calendar-tasks` that could not be handed over, kept so that each can be replayed once. Times
-- are epoch seconds. `replaying_at`: a replay is under way since then, or was cut off.
CREATE TABLE dead_letters (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL,
  task_type TEXT,
  connector_id TEXT,
  body TEXT NOT NULL,
  failed_at INTEGER NOT NULL,
  reported_at INTEGER,
  replaying_at INTEGER,
  replayed_at INTEGER
);

CREATE INDEX dead_letters_by_failure ON dead_letters (failed_at);

CREATE TABLE sync_state (
  connector_id TEXT PRIMARY KEY REFERENCES connectors(id),
  last_sync_cursor TEXT,
  sync_status TEXT CHECK (sync_status IN ('idle','syncing','error')),
  last_error TEXT,
  retry_count INTEGER DEFAULT 0,
  next_retry_at INTEGER,
  updated_at INTEGER NOT NULL DEFAULT (unixepoch())
);

CREATE TABLE oauth_state (
  state TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()),
  expires_at INTEGER NOT NULL
);

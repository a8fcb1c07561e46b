PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS channel_group (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stream (
  id INTEGER PRIMARY KEY, account_id INTEGER, group_id INTEGER, url_hash TEXT, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS stream_account ON stream (account_id);
CREATE INDEX IF NOT EXISTS stream_group ON stream (group_id);
CREATE INDEX IF NOT EXISTS stream_url ON stream (url_hash);
CREATE TABLE IF NOT EXISTS channel (id INTEGER PRIMARY KEY, group_id INTEGER, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS channel_of_group ON channel (group_id);
CREATE TABLE IF NOT EXISTS member (channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_stream ON member (stream_id);
CREATE TABLE IF NOT EXISTS result (
  stream_id INTEGER PRIMARY KEY, checked_at REAL NOT NULL, verdict TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS result_verdict ON result (verdict);
CREATE INDEX IF NOT EXISTS result_checked ON result (checked_at);
CREATE TABLE IF NOT EXISTS history (
  stream_id INTEGER, checked_at REAL NOT NULL, run_id TEXT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (stream_id, checked_at, run_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (stream_id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS removed (
  channel_id INTEGER, stream_id INTEGER, position INTEGER NOT NULL, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
  run_id TEXT PRIMARY KEY, started_at REAL NOT NULL, json TEXT NOT NULL, finished_at REAL, summary TEXT);
CREATE INDEX IF NOT EXISTS run_started ON run (started_at);
CREATE TABLE IF NOT EXISTS run_stream (
  run_id TEXT, stream_id INTEGER, verdict TEXT, reason TEXT, PRIMARY KEY (run_id, stream_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_channel (
  run_id TEXT, channel_id INTEGER, change TEXT, PRIMARY KEY (run_id, channel_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_wait (
  run_id TEXT, channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (run_id, stream_id, channel_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_wait_channel ON run_wait (run_id, channel_id);
CREATE TABLE IF NOT EXISTS change (channel_id INTEGER, at REAL, json TEXT NOT NULL, PRIMARY KEY (channel_id, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (stream_id INTEGER PRIMARY KEY, until REAL NOT NULL, json TEXT NOT NULL);
-- What was taken while Redis was away, in order, to be merged.
CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, json TEXT NOT NULL);

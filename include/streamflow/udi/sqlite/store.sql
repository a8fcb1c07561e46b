CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE account (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE channel_group (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE stream (
  id INTEGER PRIMARY KEY, json TEXT NOT NULL, account_id INTEGER, group_id INTEGER, url_hash TEXT);
CREATE INDEX stream_account ON stream (account_id);
CREATE INDEX stream_group ON stream (group_id);
CREATE INDEX stream_url ON stream (url_hash);
CREATE TABLE channel (id INTEGER PRIMARY KEY, json TEXT NOT NULL, group_id INTEGER);
CREATE INDEX channel_of_group ON channel (group_id);
CREATE TABLE member (channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
CREATE INDEX member_stream ON member (stream_id);
CREATE TABLE result (
  stream_id INTEGER PRIMARY KEY, checked_at REAL NOT NULL, verdict TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX result_verdict ON result (verdict);
CREATE INDEX result_checked ON result (checked_at);
CREATE TABLE history (
  stream_id INTEGER, checked_at REAL, run_id TEXT, json TEXT NOT NULL, PRIMARY KEY (stream_id, checked_at, run_id)
) WITHOUT ROWID;
CREATE TABLE dead (stream_id INTEGER PRIMARY KEY, json TEXT NOT NULL);
-- What people watched through Dispatcharr.
CREATE TABLE playback (
  stream_id INTEGER, begun_at REAL, json TEXT NOT NULL, PRIMARY KEY (stream_id, begun_at)) WITHOUT ROWID;
CREATE TABLE removed (
  channel_id INTEGER, stream_id INTEGER, position INTEGER NOT NULL, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
CREATE INDEX removed_stream ON removed (stream_id);
CREATE TABLE run (
  run_id TEXT PRIMARY KEY, started_at REAL NOT NULL, json TEXT NOT NULL, finished_at REAL, summary TEXT);
CREATE INDEX run_started ON run (started_at);
-- A stream without a verdict is not settled. A channel without a change is not finished.
CREATE TABLE run_stream (
  run_id TEXT, stream_id INTEGER, verdict TEXT, reason TEXT, PRIMARY KEY (run_id, stream_id)) WITHOUT ROWID;
CREATE TABLE run_channel (
  run_id TEXT, channel_id INTEGER, change TEXT, PRIMARY KEY (run_id, channel_id)) WITHOUT ROWID;
CREATE TABLE run_wait (
  run_id TEXT, channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (run_id, stream_id, channel_id)) WITHOUT ROWID;
CREATE INDEX run_wait_channel ON run_wait (run_id, channel_id);
CREATE TABLE run_twin (
  run_id TEXT, stream_id INTEGER, twin INTEGER, PRIMARY KEY (run_id, stream_id, twin)) WITHOUT ROWID;
-- The identities of streams that left the library, so that a stream that comes back finds its results.
CREATE TABLE gone (identity TEXT PRIMARY KEY, stream_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_stream ON gone (stream_id);
CREATE TABLE change (channel_id INTEGER, at REAL, json TEXT NOT NULL, PRIMARY KEY (channel_id, at)) WITHOUT ROWID;
CREATE TABLE progress (stream_id INTEGER PRIMARY KEY, until REAL NOT NULL, json TEXT NOT NULL);
-- The writes that Redis may lack, in order.
CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, json TEXT NOT NULL)

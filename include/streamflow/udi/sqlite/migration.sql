-- From layout 2 to 3.
CREATE TABLE run_twin (
  run_id TEXT, stream_id INTEGER, twin INTEGER, PRIMARY KEY (run_id, stream_id, twin)) WITHOUT ROWID;
-- What streams that left the library were known by, so that one that comes back finds its past.
CREATE TABLE gone (identity TEXT PRIMARY KEY, stream_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_stream ON gone (stream_id)

-- From layout 2 to 3.
CREATE TABLE run_twin (
  run_id TEXT, stream_id INTEGER, twin INTEGER, PRIMARY KEY (run_id, stream_id, twin)) WITHOUT ROWID;
-- The identities of streams that left the library, so that a stream that comes back finds its results.
CREATE TABLE gone (identity TEXT PRIMARY KEY, stream_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_stream ON gone (stream_id)

-- From layout 3 to 4.
-- What people watched through Dispatcharr.
CREATE TABLE playback (
  stream_id INTEGER, begun_at REAL, json TEXT NOT NULL, PRIMARY KEY (stream_id, begun_at)) WITHOUT ROWID

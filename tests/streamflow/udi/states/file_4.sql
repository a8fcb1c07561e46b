BEGIN TRANSACTION;
CREATE TABLE account (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO "account" VALUES(1,'{"id":1,"name":"One","max_streams":2}');
INSERT INTO "account" VALUES(2,'{"id":2,"name":"Two"}');
CREATE TABLE change (channel_id INTEGER, at REAL, json TEXT NOT NULL, PRIMARY KEY (channel_id, at)) WITHOUT ROWID;
INSERT INTO "change" VALUES(1,1767323045.0,'{"channel_id":1,"run_id":"run","at":"2026-01-02T03:04:05Z","before":[10,11],"after":[11,10],"written":true}');
INSERT INTO "change" VALUES(2,1767323045.0,'{"channel_id":2,"run_id":"run","at":"2026-01-02T03:04:05Z","before":[10,11],"after":[11,10],"written":true}');
CREATE TABLE channel (id INTEGER PRIMARY KEY, json TEXT NOT NULL, group_id INTEGER);
INSERT INTO "channel" VALUES(1,'{"id":1,"name":"Channel 1","group_id":8,"stream_ids":[11]}',8);
INSERT INTO "channel" VALUES(2,'{"id":2,"name":"Channel 2","group_id":8,"stream_ids":[11,12]}',8);
CREATE TABLE channel_group (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO "channel_group" VALUES(7,'{"id":7,"name":"Streams"}');
INSERT INTO "channel_group" VALUES(8,'{"id":8,"name":"Channels"}');
CREATE TABLE dead (stream_id INTEGER PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO "dead" VALUES(10,'{"failures":2,"first_dead":"2026-01-02T03:04:05Z","removed_from":{"1":0}}');
CREATE TABLE gone (identity TEXT PRIMARY KEY, stream_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE history (
  stream_id INTEGER, checked_at REAL, run_id TEXT, json TEXT NOT NULL, PRIMARY KEY (stream_id, checked_at, run_id)
) WITHOUT ROWID;
INSERT INTO "history" VALUES(10,1767323045.0,'run','{"stream_id":10,"account_id":1,"checked_at":"2026-01-02T03:04:05Z","run_id":"run","verdict":"dead","reason":"no_data","width":1920,"height":1080}');
INSERT INTO "history" VALUES(11,1767323045.0,'run','{"stream_id":11,"account_id":1,"checked_at":"2026-01-02T03:04:05Z","run_id":"run","verdict":"ok","width":1920,"height":1080}');
INSERT INTO "history" VALUES(12,1767323105.0,'run','{"stream_id":12,"account_id":1,"checked_at":"2026-01-02T03:05:05Z","run_id":"run","verdict":"unknown","width":1920,"height":1080}');
INSERT INTO "history" VALUES(12,1767323165.0,'run','{"stream_id":12,"account_id":1,"checked_at":"2026-01-02T03:06:05Z","run_id":"run","verdict":"ok","width":1920,"height":1080}');
CREATE TABLE journal (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE member (channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
INSERT INTO "member" VALUES(1,11);
INSERT INTO "member" VALUES(2,11);
INSERT INTO "member" VALUES(2,12);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('refreshed_at','2026-11-24T23:39:29.239561+00:00');
CREATE TABLE playback (
  stream_id INTEGER, begun_at REAL, json TEXT NOT NULL, PRIMARY KEY (stream_id, begun_at)) WITHOUT ROWID
;
CREATE TABLE progress (stream_id INTEGER PRIMARY KEY, until REAL NOT NULL, json TEXT NOT NULL);
CREATE TABLE removed (
  channel_id INTEGER, stream_id INTEGER, position INTEGER NOT NULL, PRIMARY KEY (channel_id, stream_id)) WITHOUT ROWID;
INSERT INTO "removed" VALUES(1,10,0);
CREATE TABLE result (
  stream_id INTEGER PRIMARY KEY, checked_at REAL NOT NULL, verdict TEXT NOT NULL, json TEXT NOT NULL);
INSERT INTO "result" VALUES(10,1767323045.0,'dead','{"stream_id":10,"account_id":1,"checked_at":"2026-01-02T03:04:05Z","run_id":"run","verdict":"dead","reason":"no_data","width":1920,"height":1080}');
INSERT INTO "result" VALUES(11,1767323045.0,'ok','{"stream_id":11,"account_id":1,"checked_at":"2026-01-02T03:04:05Z","run_id":"run","verdict":"ok","width":1920,"height":1080}');
INSERT INTO "result" VALUES(12,1767323165.0,'ok','{"stream_id":12,"account_id":1,"checked_at":"2026-01-02T03:06:05Z","run_id":"run","verdict":"ok","width":1920,"height":1080}');
CREATE TABLE run (
  run_id TEXT PRIMARY KEY, started_at REAL NOT NULL, json TEXT NOT NULL, finished_at REAL, summary TEXT);
INSERT INTO "run" VALUES('run',1795563569.0,'{"run_id":"run","started_at":"2026-11-24T23:39:29Z","mode":"concurrent","stream_ids":[10,11,12],"channels":{"1":[10,11],"2":[11,12]}}',1767323045.0,'{"channels": 2}');
INSERT INTO "run" VALUES('next',1795563629.0,'{"run_id":"next","started_at":"2026-11-24T23:40:29Z","mode":"concurrent","stream_ids":[12],"channels":{"2":[12]}}',NULL,NULL);
CREATE TABLE run_channel (
  run_id TEXT, channel_id INTEGER, change TEXT, PRIMARY KEY (run_id, channel_id)) WITHOUT ROWID;
INSERT INTO "run_channel" VALUES('next',2,NULL);
INSERT INTO "run_channel" VALUES('run',1,'{"channel_id":1,"run_id":"run","at":"2026-01-02T03:04:05Z","before":[10,11],"after":[11,10],"written":true}');
INSERT INTO "run_channel" VALUES('run',2,'{"channel_id":2,"run_id":"run","at":"2026-01-02T03:04:05Z","before":[10,11],"after":[11,10],"written":true}');
CREATE TABLE run_stream (
  run_id TEXT, stream_id INTEGER, verdict TEXT, reason TEXT, PRIMARY KEY (run_id, stream_id)) WITHOUT ROWID;
INSERT INTO "run_stream" VALUES('next',12,NULL,NULL);
INSERT INTO "run_stream" VALUES('run',10,'dead','no_data');
INSERT INTO "run_stream" VALUES('run',11,'ok',NULL);
INSERT INTO "run_stream" VALUES('run',12,'ok',NULL);
CREATE TABLE run_twin (
  run_id TEXT, stream_id INTEGER, twin INTEGER, PRIMARY KEY (run_id, stream_id, twin)) WITHOUT ROWID;
CREATE TABLE run_wait (
  run_id TEXT, channel_id INTEGER, stream_id INTEGER, PRIMARY KEY (run_id, stream_id, channel_id)) WITHOUT ROWID;
INSERT INTO "run_wait" VALUES('next',2,12);
INSERT INTO "run_wait" VALUES('run',1,10);
INSERT INTO "run_wait" VALUES('run',1,11);
INSERT INTO "run_wait" VALUES('run',2,11);
INSERT INTO "run_wait" VALUES('run',2,12);
CREATE TABLE stream (
  id INTEGER PRIMARY KEY, json TEXT NOT NULL, account_id INTEGER, group_id INTEGER, url_hash TEXT);
INSERT INTO "stream" VALUES(10,'{"id":10,"name":"Stream 10","url":"http://provider/10","account_id":1,"group_id":7}',1,7,'017fc34ff49ab20e5c6302741ece2095');
INSERT INTO "stream" VALUES(11,'{"id":11,"name":"Stream 11","url":"http://provider/11","account_id":1,"group_id":7}',1,7,'882e432927e10b486371434e4fb8afc4');
INSERT INTO "stream" VALUES(12,'{"id":12,"name":"Stream 12","url":"http://provider/12","account_id":1,"group_id":7}',1,7,'969b89ba39ac97aa918084de11a83bb0');
CREATE INDEX channel_of_group ON channel (group_id);
CREATE INDEX result_verdict ON result (verdict);
CREATE INDEX result_checked ON result (checked_at);
CREATE INDEX removed_stream ON removed (stream_id);
CREATE INDEX run_started ON run (started_at);
CREATE INDEX run_wait_channel ON run_wait (run_id, channel_id);
CREATE INDEX gone_stream ON gone (stream_id);
CREATE INDEX stream_account ON stream (account_id);
CREATE INDEX stream_group ON stream (group_id);
CREATE INDEX stream_url ON stream (url_hash);
CREATE INDEX member_stream ON member (stream_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('journal',13);
COMMIT;
PRAGMA user_version = 4;

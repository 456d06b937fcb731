BEGIN TRANSACTION;
CREATE TABLE entries (
    id       INTEGER PRIMARY KEY,   -- grows with time, never given twice
    instance INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    step     TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    data     TEXT,                  -- JSON
    value    BLOB                   -- tagged JSON
) STRICT;
INSERT INTO "entries" VALUES(13,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B226F66223A2266726F6D20612073746570227D');
INSERT INTO "entries" VALUES(14,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(22,2,1767225600000,1002,'do:1:first',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'31');
INSERT INTO "entries" VALUES(23,2,1767225600000,8,'sleep:1:rest',0,'{"durationMs":60000,"untilMs":1767225660000,"line":""}',NULL);
INSERT INTO "entries" VALUES(24,2,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(27,2,1767225660000,9,'sleep:1:rest',0,NULL,NULL);
INSERT INTO "entries" VALUES(28,2,1767225660000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(47,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"},"restarted":true}',X'7B226F66223A2277686F6C65227D');
INSERT INTO "entries" VALUES(48,1,1767229200000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(56,1,1767229200000,1002,'do:1:first',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'31');
INSERT INTO "entries" VALUES(57,1,1767229200000,8,'sleep:1:rest',0,'{"durationMs":60000,"untilMs":1767229260000,"line":""}',NULL);
INSERT INTO "entries" VALUES(58,1,1767229200000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(59,2,1767229200000,107,'',0,'{"from":{"name":"last","count":1,"type":"do"}}',NULL);
INSERT INTO "entries" VALUES(60,2,1767229200000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(68,2,1767229200000,1002,'do:1:last',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes","sensitive":"output"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'7B22736563726574223A317D');
INSERT INTO "entries" VALUES(69,2,1767229200000,2,'',0,NULL,X'7B22736563726574223A317D');
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,   -- the number in entries and on the screen
    code     TEXT    NOT NULL UNIQUE, -- equal for equal code
    since_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "generations" VALUES(1,'guest 1',1767225600000);
INSERT INTO "generations" VALUES(2,'guest 2',1767229200000);
CREATE TABLE high_water (
    entry    INTEGER NOT NULL,
    instance INTEGER NOT NULL
) STRICT;
INSERT INTO "high_water" VALUES(59,2);
CREATE TABLE instances (
    key        INTEGER PRIMARY KEY, -- grows with time, never given twice
    workflow   TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    wake_ms    INTEGER,             -- when the next timer of a waiting instance is due
    ended_ms   INTEGER,
    expires_ms INTEGER,             -- when the retention of an ended instance is over
    UNIQUE (workflow, id)
) STRICT;
INSERT INTO "instances" VALUES(1,'orders','whole',1767225600000,'waiting',1767229260000,NULL,NULL);
INSERT INTO "instances" VALUES(2,'orders','from-a-step',1767225600000,'complete',NULL,1767229200000,1767834000000);
CREATE TABLE stream_chunks (
    stream   INTEGER NOT NULL,      -- grows with time
    position INTEGER NOT NULL,      -- from 0
    instance INTEGER NOT NULL,
    chunk    BLOB    NOT NULL,      -- 256 KiB; the last may be shorter
    PRIMARY KEY (stream, position)
) STRICT;
CREATE INDEX instances_by_status ON instances (status, workflow);
CREATE INDEX instances_by_expiry ON instances (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX entries_by_instance ON entries (instance, id);
CREATE INDEX stream_chunks_by_instance ON stream_chunks (instance, stream);
COMMIT;
PRAGMA user_version = 3;

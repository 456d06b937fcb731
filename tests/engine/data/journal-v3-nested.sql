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
INSERT INTO "entries" VALUES(1,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2261736C65657022');
INSERT INTO "entries" VALUES(2,1,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(4,1,1767225600000,1000,'do:1:order A',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(12,1,1767225600000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","parent":"do:1:order A"}',X'224120776173206368617267656422');
INSERT INTO "entries" VALUES(14,1,1767225600000,1001,'do:1:order A',1,NULL,X'224120776173206368617267656422');
INSERT INTO "entries" VALUES(15,1,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(16,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(17,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'22696E20666C6967687422');
INSERT INTO "entries" VALUES(18,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(20,2,1767225600000,1000,'do:1:order A',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(28,2,1767225600000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","parent":"do:1:order A"}',X'224120776173206368617267656422');
INSERT INTO "entries" VALUES(30,2,1767225600000,1001,'do:1:order A',1,NULL,X'224120776173206368617267656422');
INSERT INTO "entries" VALUES(38,2,1767225600000,1002,'do:2:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'224220776173206368617267656422');
INSERT INTO "entries" VALUES(40,2,1767225600000,1000,'do:1:order C',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(48,2,1767225600000,1002,'do:3:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","parent":"do:1:order C"}',X'224320776173206368617267656422');
INSERT INTO "entries" VALUES(49,3,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'227265747269656422');
INSERT INTO "entries" VALUES(50,3,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(52,3,1767225600000,1000,'do:1:all',0,'{"config":{"retries":{"limit":3,"delay":"1 hour","backoff":"constant"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":3600000,"line":""}',NULL);
INSERT INTO "entries" VALUES(60,3,1767225600000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","parent":"do:1:all"}',X'224120776173206368617267656422');
INSERT INTO "entries" VALUES(68,3,1767225600000,1002,'do:2:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","parent":"do:1:all"}',X'224220776173206368617267656422');
INSERT INTO "entries" VALUES(69,3,1767225600000,12,'do:1:all',1,'{"error":{"name":"Error","message":"not yet"},"retryDelayMs":3600000}',NULL);
INSERT INTO "entries" VALUES(70,3,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(71,4,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2277616974696E6722');
INSERT INTO "entries" VALUES(72,4,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(74,4,1767225600000,1000,'do:1:A',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(75,4,1767225600000,14,'waitForEvent:1:approval',0,'{"event":"go","timeoutMs":86400000,"line":"","parent":"do:1:A"}',NULL);
INSERT INTO "entries" VALUES(76,4,1767225600000,106,'',0,'{"event":"go"}',X'31');
INSERT INTO "entries" VALUES(77,4,1767225600000,15,'waitForEvent:1:approval',0,NULL,X'7B227061796C6F6164223A312C2274696D657374616D70223A7B222464617465223A313736373232353630303030307D2C2274797065223A22676F227D');
INSERT INTO "entries" VALUES(79,4,1767225600000,1001,'do:1:A',1,NULL,X'31');
INSERT INTO "entries" VALUES(81,4,1767225600000,1000,'do:1:B',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"1 day"},"timeoutMs":86400000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(82,4,1767225600000,14,'waitForEvent:2:approval',0,'{"event":"go","timeoutMs":86400000,"line":"","parent":"do:1:B"}',NULL);
INSERT INTO "entries" VALUES(83,4,1767225600000,106,'',0,'{"event":"go"}',X'32');
INSERT INTO "entries" VALUES(84,4,1767225600000,15,'waitForEvent:2:approval',0,NULL,X'7B227061796C6F6164223A322C2274696D657374616D70223A7B222464617465223A313736373232353630303030307D2C2274797065223A22676F227D');
INSERT INTO "entries" VALUES(85,4,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":"","parent":"do:1:B"}',NULL);
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,   -- the number in entries and on the screen
    code     TEXT    NOT NULL UNIQUE, -- equal for equal code
    since_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "generations" VALUES(1,'guest 1',1767225600000);
CREATE TABLE high_water (
    entry    INTEGER NOT NULL,
    instance INTEGER NOT NULL
) STRICT;
INSERT INTO "high_water" VALUES(0,0);
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
INSERT INTO "instances" VALUES(1,'orders','asleep',1767225600000,'waiting',1767229200000,NULL,NULL);
INSERT INTO "instances" VALUES(2,'orders','in-flight',1767225600000,'running',NULL,NULL,NULL);
INSERT INTO "instances" VALUES(3,'orders','retried',1767225600000,'waiting',1767229200000,NULL,NULL);
INSERT INTO "instances" VALUES(4,'orders','waiting',1767225600000,'running',NULL,NULL,NULL);
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

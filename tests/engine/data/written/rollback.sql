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
INSERT INTO "entries" VALUES(1,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'22636F6D706C65746522');
INSERT INTO "entries" VALUES(2,1,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(10,1,1767225600000,1002,'do:1:a',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(18,1,1767225600000,1002,'do:1:b',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(26,1,1767225600000,1002,'do:1:c',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(27,1,1767225600000,17,'',0,'{"triggerError":{"name":"Error","message":"too late"},"totalSteps":3,"terminates":false}',NULL);
INSERT INTO "entries" VALUES(28,1,1767225600000,18,'rollback:1:c',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(29,1,1767225600000,19,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(30,1,1767225600000,20,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(31,1,1767225600000,22,'rollback:1:c',0,NULL,NULL);
INSERT INTO "entries" VALUES(32,1,1767225600000,18,'rollback:1:b',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(33,1,1767225600000,19,'rollback:1:b',1,NULL,NULL);
INSERT INTO "entries" VALUES(34,1,1767225600000,20,'rollback:1:b',1,NULL,NULL);
INSERT INTO "entries" VALUES(35,1,1767225600000,22,'rollback:1:b',0,NULL,NULL);
INSERT INTO "entries" VALUES(36,1,1767225600000,18,'rollback:1:a',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(37,1,1767225600000,19,'rollback:1:a',1,NULL,NULL);
INSERT INTO "entries" VALUES(38,1,1767225600000,20,'rollback:1:a',1,NULL,NULL);
INSERT INTO "entries" VALUES(39,1,1767225600000,22,'rollback:1:a',0,NULL,NULL);
INSERT INTO "entries" VALUES(40,1,1767225600000,24,'',0,'{"totalSteps":3,"completedSteps":3}',NULL);
INSERT INTO "entries" VALUES(41,1,1767225600000,3,'',0,'{"error":{"name":"Error","message":"too late"}}',NULL);
INSERT INTO "entries" VALUES(42,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'226661696C656422');
INSERT INTO "entries" VALUES(43,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(51,2,1767225600000,1002,'do:1:a',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(59,2,1767225600000,1002,'do:1:b',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(67,2,1767225600000,1002,'do:1:c',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(68,2,1767225600000,17,'',0,'{"triggerError":{"name":"Error","message":"too late"},"totalSteps":3,"terminates":false}',NULL);
INSERT INTO "entries" VALUES(69,2,1767225600000,18,'rollback:1:c',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(70,2,1767225600000,19,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(71,2,1767225600000,20,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(72,2,1767225600000,22,'rollback:1:c',0,NULL,NULL);
INSERT INTO "entries" VALUES(73,2,1767225600000,18,'rollback:1:b',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(74,2,1767225600000,19,'rollback:1:b',1,NULL,NULL);
INSERT INTO "entries" VALUES(75,2,1767225600000,21,'rollback:1:b',1,'{"error":{"name":"RangeError","message":"cannot undo"}}',NULL);
INSERT INTO "entries" VALUES(76,2,1767225600000,23,'rollback:1:b',0,'{"error":{"name":"RangeError","message":"cannot undo"}}',NULL);
INSERT INTO "entries" VALUES(77,2,1767225600000,25,'',0,'{"totalSteps":3,"completedSteps":1,"error":{"name":"RangeError","message":"cannot undo"}}',NULL);
INSERT INTO "entries" VALUES(78,2,1767225600000,3,'',0,'{"error":{"name":"Error","message":"too late"}}',NULL);
INSERT INTO "entries" VALUES(79,3,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2261736C65657022');
INSERT INTO "entries" VALUES(80,3,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(88,3,1767225600000,1002,'do:1:a',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(96,3,1767225600000,1002,'do:1:b',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(104,3,1767225600000,1002,'do:1:c',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","rollback":{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}}',X'226D61646522');
INSERT INTO "entries" VALUES(105,3,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(106,3,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(107,3,1767225600000,17,'',0,'{"triggerError":{"name":"Terminated","message":"Instance terminated during rollback"},"totalSteps":3,"terminates":true}',NULL);
INSERT INTO "entries" VALUES(108,3,1767225600000,18,'rollback:1:c',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(109,3,1767225600000,19,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(110,3,1767225600000,20,'rollback:1:c',1,NULL,NULL);
INSERT INTO "entries" VALUES(111,3,1767225600000,22,'rollback:1:c',0,NULL,NULL);
INSERT INTO "entries" VALUES(112,3,1767225600000,18,'rollback:1:b',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(113,3,1767225600000,19,'rollback:1:b',1,NULL,NULL);
INSERT INTO "entries" VALUES(114,3,1767225600000,20,'rollback:1:b',1,NULL,NULL);
INSERT INTO "entries" VALUES(115,3,1767225600000,22,'rollback:1:b',0,NULL,NULL);
INSERT INTO "entries" VALUES(116,3,1767225600000,18,'rollback:1:a',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0}',NULL);
INSERT INTO "entries" VALUES(117,3,1767225600000,19,'rollback:1:a',1,NULL,NULL);
INSERT INTO "entries" VALUES(118,3,1767225600000,20,'rollback:1:a',1,NULL,NULL);
INSERT INTO "entries" VALUES(119,3,1767225600000,22,'rollback:1:a',0,NULL,NULL);
INSERT INTO "entries" VALUES(120,3,1767225600000,24,'',0,'{"totalSteps":3,"completedSteps":3}',NULL);
INSERT INTO "entries" VALUES(121,3,1767225600000,4,'',0,'{"trigger":{"source":"api"}}',NULL);
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
INSERT INTO "instances" VALUES(1,'orders','complete',1767225600000,'errored',NULL,1767225600000,1767830400000);
INSERT INTO "instances" VALUES(2,'orders','failed',1767225600000,'errored',NULL,1767225600000,1767830400000);
INSERT INTO "instances" VALUES(3,'orders','asleep',1767225600000,'terminated',NULL,1767225600000,1767830400000);
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

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
INSERT INTO "entries" VALUES(1,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2270617573656422');
INSERT INTO "entries" VALUES(2,1,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(10,1,1767225600000,1002,'do:1:work',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'31');
INSERT INTO "entries" VALUES(11,1,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(12,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(13,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'22726573756D656422');
INSERT INTO "entries" VALUES(14,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(22,2,1767225600000,1002,'do:1:work',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'31');
INSERT INTO "entries" VALUES(23,2,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(24,2,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(25,3,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'227465726D696E6174656422');
INSERT INTO "entries" VALUES(26,3,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(34,3,1767225600000,1002,'do:1:work',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',X'31');
INSERT INTO "entries" VALUES(35,3,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(36,3,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(37,4,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'22736B697070656422');
INSERT INTO "entries" VALUES(38,4,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(40,4,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(42,4,1767225600000,1001,'do:1:work',1,NULL,X'31');
INSERT INTO "entries" VALUES(43,4,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":""}',NULL);
INSERT INTO "entries" VALUES(44,4,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(45,5,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'226275737922');
INSERT INTO "entries" VALUES(46,5,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(48,5,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(49,1,1767225660000,103,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(50,2,1767225660000,103,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(51,3,1767225660000,103,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(52,5,1767225660000,102,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(53,2,1767225720000,104,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(54,2,1767225720000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(55,2,1767225720000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(56,3,1767225720000,4,'',0,'{"trigger":{"source":"api"}}',NULL);
INSERT INTO "entries" VALUES(57,4,1767225720000,108,'sleep:1:rest',0,NULL,NULL);
INSERT INTO "entries" VALUES(58,4,1767225720000,9,'sleep:1:rest',0,NULL,NULL);
INSERT INTO "entries" VALUES(59,4,1767225720000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(60,4,1767225720000,2,'',0,NULL,X'22646F6E6522');
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
INSERT INTO "instances" VALUES(1,'orders','paused',1767225600000,'paused',NULL,NULL,NULL);
INSERT INTO "instances" VALUES(2,'orders','resumed',1767225600000,'waiting',1767229260000,NULL,NULL);
INSERT INTO "instances" VALUES(3,'orders','terminated',1767225600000,'terminated',NULL,1767225720000,1767830520000);
INSERT INTO "instances" VALUES(4,'orders','skipped',1767225600000,'complete',NULL,1767225720000,1767830520000);
INSERT INTO "instances" VALUES(5,'orders','busy',1767225600000,'waitingForPause',NULL,NULL,NULL);
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

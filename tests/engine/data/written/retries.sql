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
INSERT INTO "entries" VALUES(1,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'227265747279696E6722');
INSERT INTO "entries" VALUES(2,1,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(4,1,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":3,"delay":"1 hour","backoff":"constant"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":3600000,"line":""}',NULL);
INSERT INTO "entries" VALUES(5,1,1767225600000,12,'do:1:work',1,'{"error":{"name":"ValueError","message":"no 1"},"retryDelayMs":3600000}',NULL);
INSERT INTO "entries" VALUES(6,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(7,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'227370656E7422');
INSERT INTO "entries" VALUES(8,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(10,2,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":0,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0,"line":""}',NULL);
INSERT INTO "entries" VALUES(11,2,1767225600000,12,'do:1:work',1,'{"error":{"name":"ValueError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(12,2,1767225600000,7,'do:1:work',0,'{"error":{"name":"ValueError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(13,2,1767225600000,3,'',0,'{"error":{"name":"ValueError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(14,3,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2261736B696E6722');
INSERT INTO "entries" VALUES(15,3,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(17,3,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":5,"delay":"[dynamic]","backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":null,"line":""}',NULL);
INSERT INTO "entries" VALUES(18,3,1767225600000,12,'do:1:work',1,'{"error":{"name":"RangeError","message":"no 1"},"asksDelay":true}',NULL);
INSERT INTO "entries" VALUES(19,3,1767225600000,115,'do:1:work',1,'{"retryDelayMs":3600000}',NULL);
INSERT INTO "entries" VALUES(20,3,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(21,4,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'2266696E616C22');
INSERT INTO "entries" VALUES(22,4,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(24,4,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(25,4,1767225600000,12,'do:1:work',1,'{"error":{"name":"NonRetryableError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(26,4,1767225600000,7,'do:1:work',0,'{"error":{"name":"NonRetryableError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(27,4,1767225600000,3,'',0,'{"error":{"name":"NonRetryableError","message":"no 1"}}',NULL);
INSERT INTO "entries" VALUES(28,5,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'22736C6F7722');
INSERT INTO "entries" VALUES(29,5,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(31,5,1767225600000,1000,'do:1:work',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"5 minutes"},"timeoutMs":300000,"delayMs":10000,"line":""}',NULL);
INSERT INTO "entries" VALUES(32,5,1767225900000,12,'do:1:work',1,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 300000ms"},"retryDelayMs":10000}',NULL);
INSERT INTO "entries" VALUES(33,5,1767225900000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(34,5,1767225910000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(35,5,1767225910000,10,'do:1:work',2,NULL,NULL);
INSERT INTO "entries" VALUES(36,5,1767225960000,109,'',0,'{"generation":2}',NULL);
INSERT INTO "entries" VALUES(37,5,1767225960000,105,'do:1:work',2,'{"reason":"restart"}',NULL);
INSERT INTO "entries" VALUES(38,5,1767225960000,10,'do:1:work',3,NULL,NULL);
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,   -- the number in entries and on the screen
    code     TEXT    NOT NULL UNIQUE, -- equal for equal code
    since_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "generations" VALUES(1,'guest 1',1767225600000);
INSERT INTO "generations" VALUES(2,'guest 2',1767225960000);
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
INSERT INTO "instances" VALUES(1,'orders','retrying',1767225600000,'waiting',1767229200000,NULL,NULL);
INSERT INTO "instances" VALUES(2,'orders','spent',1767225600000,'errored',NULL,1767225600000,1767830400000);
INSERT INTO "instances" VALUES(3,'orders','asking',1767225600000,'waiting',1767229200000,NULL,NULL);
INSERT INTO "instances" VALUES(4,'orders','final',1767225600000,'errored',NULL,1767225600000,1767830400000);
INSERT INTO "instances" VALUES(5,'orders','slow',1767225600000,'running',NULL,NULL,NULL);
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

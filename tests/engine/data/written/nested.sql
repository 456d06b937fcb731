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
INSERT INTO "entries" VALUES(1,1,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(2,1,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(4,1,1767225600000,1000,'do:1:order',0,'{"config":{"retries":{"limit":3,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0,"line":""}',NULL);
INSERT INTO "entries" VALUES(12,1,1767225600000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","parent":"do:1:order","nth":1}',X'2241206973206368617267656422');
INSERT INTO "entries" VALUES(13,1,1767225600000,12,'do:1:order',1,'{"error":{"name":"Error","message":"not yet"},"retryDelayMs":0}',NULL);
INSERT INTO "entries" VALUES(14,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(15,1,1767225600000,10,'do:1:order',2,NULL,NULL);
INSERT INTO "entries" VALUES(16,1,1767225600000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(24,1,1767225600000,1002,'do:2:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","parent":"do:1:order","nth":2}',X'2242206973206368617267656422');
INSERT INTO "entries" VALUES(26,1,1767225600000,1001,'do:1:order',2,NULL,X'5B22412069732063686172676564222C22422069732063686172676564225D');
INSERT INTO "entries" VALUES(34,1,1767225600000,1002,'do:3:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","nth":1}',X'2243206973206368617267656422');
INSERT INTO "entries" VALUES(36,1,1767225600000,1000,'do:1:ask',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","nth":1}',NULL);
INSERT INTO "entries" VALUES(37,1,1767225600000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":"","parent":"do:1:ask","nth":1}',NULL);
INSERT INTO "entries" VALUES(38,1,1767226200000,12,'do:1:ask',1,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 600000ms"},"retryDelayMs":10000}',NULL);
INSERT INTO "entries" VALUES(39,1,1767226200000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(40,1,1767226210000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(41,1,1767226210000,10,'do:1:ask',2,NULL,NULL);
INSERT INTO "entries" VALUES(42,1,1767226810000,12,'do:1:ask',2,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 600000ms"},"retryDelayMs":20000}',NULL);
INSERT INTO "entries" VALUES(43,1,1767226810000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(44,1,1767226830000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(45,1,1767226830000,10,'do:1:ask',3,NULL,NULL);
INSERT INTO "entries" VALUES(46,1,1767227430000,12,'do:1:ask',3,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 600000ms"},"retryDelayMs":40000}',NULL);
INSERT INTO "entries" VALUES(47,1,1767227430000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(48,1,1767227470000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(49,1,1767227470000,10,'do:1:ask',4,NULL,NULL);
INSERT INTO "entries" VALUES(50,1,1767228070000,12,'do:1:ask',4,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 600000ms"},"retryDelayMs":80000}',NULL);
INSERT INTO "entries" VALUES(51,1,1767228070000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(52,1,1767228150000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(53,1,1767228150000,10,'do:1:ask',5,NULL,NULL);
INSERT INTO "entries" VALUES(54,1,1767228750000,12,'do:1:ask',5,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 600000ms"},"retryDelayMs":160000}',NULL);
INSERT INTO "entries" VALUES(55,1,1767228750000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(56,1,1767228910000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(57,1,1767228910000,10,'do:1:ask',6,NULL,NULL);
INSERT INTO "entries" VALUES(58,1,1767229200000,9,'sleep:1:rest',0,NULL,NULL);
INSERT INTO "entries" VALUES(59,1,1767229200000,14,'waitForEvent:1:approval',0,'{"event":"go","timeoutMs":86400000,"line":"","parent":"do:1:ask","nth":1}',NULL);
INSERT INTO "entries" VALUES(60,1,1767229260000,106,'',0,'{"event":"go"}',X'7B226F6B223A747275657D');
INSERT INTO "entries" VALUES(61,1,1767229260000,15,'waitForEvent:1:approval',0,NULL,X'7B227061796C6F6164223A7B226F6B223A747275657D2C2274696D657374616D70223A7B222464617465223A313736373232393236303030307D2C2274797065223A22676F227D');
INSERT INTO "entries" VALUES(63,1,1767229260000,1001,'do:1:ask',6,NULL,X'7B226F6B223A747275657D');
INSERT INTO "entries" VALUES(64,1,1767229260000,2,'',0,NULL,X'5B5B22412069732063686172676564222C22422069732063686172676564225D2C22432069732063686172676564222C7B226F6B223A747275657D5D');
INSERT INTO "entries" VALUES(65,2,1767229260000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(66,2,1767229260000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(68,2,1767229260000,1000,'do:1:order',0,'{"config":{"retries":{"limit":3,"delay":0,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":0,"line":""}',NULL);
INSERT INTO "entries" VALUES(76,2,1767229260000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","parent":"do:1:order","nth":1}',X'2241206973206368617267656422');
INSERT INTO "entries" VALUES(77,2,1767229260000,12,'do:1:order',1,'{"error":{"name":"Error","message":"not yet"},"retryDelayMs":0}',NULL);
INSERT INTO "entries" VALUES(78,2,1767229260000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(79,2,1767229260000,10,'do:1:order',2,NULL,NULL);
INSERT INTO "entries" VALUES(80,2,1767229260000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(88,2,1767229260000,1002,'do:2:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","parent":"do:1:order","nth":2}',X'2242206973206368617267656422');
INSERT INTO "entries" VALUES(90,2,1767229260000,1001,'do:1:order',2,NULL,X'5B22412069732063686172676564222C22422069732063686172676564225D');
INSERT INTO "entries" VALUES(98,2,1767229260000,1002,'do:3:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:5","nth":1}',X'2243206973206368617267656422');
INSERT INTO "entries" VALUES(100,2,1767229260000,1000,'do:1:ask',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"","nth":1}',NULL);
INSERT INTO "entries" VALUES(101,2,1767229260000,8,'sleep:1:rest',0,'{"durationMs":3600000,"untilMs":1767232860000,"line":"","parent":"do:1:ask","nth":1}',NULL);
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
INSERT INTO "instances" VALUES(1,'orders','ended',1767225600000,'complete',NULL,1767229260000,1767834060000);
INSERT INTO "instances" VALUES(2,'orders','asleep',1767229260000,'running',NULL,NULL,NULL);
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

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
INSERT INTO "entries" VALUES(3,1,1767225600000,14,'waitForEvent:1:approval',0,'{"event":"go","timeoutMs":3600000,"line":""}',NULL);
INSERT INTO "entries" VALUES(4,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(5,2,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(6,2,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(7,2,1767225600000,14,'waitForEvent:1:approval',0,'{"event":"go","timeoutMs":3600000,"line":""}',NULL);
INSERT INTO "entries" VALUES(8,2,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(9,3,1767225600000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(10,3,1767225600000,1,'',0,'{"generation":1}',NULL);
INSERT INTO "entries" VALUES(11,3,1767225600000,14,'waitForEvent:1:approval',0,'{"event":"go","timeoutMs":3600000,"line":""}',NULL);
INSERT INTO "entries" VALUES(12,3,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(13,1,1767225600000,106,'',0,'{"event":"go"}',X'7B226E223A317D');
INSERT INTO "entries" VALUES(14,1,1767225600000,15,'waitForEvent:1:approval',0,NULL,X'7B227061796C6F6164223A7B226E223A317D2C2274696D657374616D70223A7B222464617465223A313736373232353630303030307D2C2274797065223A22676F227D');
INSERT INTO "entries" VALUES(15,1,1767225600000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(16,1,1767225600000,14,'waitForEvent:1:second',0,'{"event":"go","timeoutMs":60000,"line":""}',NULL);
INSERT INTO "entries" VALUES(17,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(18,3,1767225600000,106,'',0,'{"event":"other"}',X'5B312C325D');
INSERT INTO "entries" VALUES(19,1,1767225660000,16,'waitForEvent:1:second',0,'{"error":{"name":"WorkflowTimeoutError","message":"Execution timed out after 60000ms"}}',NULL);
INSERT INTO "entries" VALUES(20,1,1767225660000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(21,1,1767225660000,2,'',0,NULL,X'5B7B226E223A317D2C22576F726B666C6F7754696D656F75744572726F72225D');
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
INSERT INTO "instances" VALUES(1,'orders','ended',1767225600000,'complete',NULL,1767225660000,1767830460000);
INSERT INTO "instances" VALUES(2,'orders','waits',1767225600000,'waiting',1767229200000,NULL,NULL);
INSERT INTO "instances" VALUES(3,'orders','buffered',1767225600000,'waiting',1767229200000,NULL,NULL);
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

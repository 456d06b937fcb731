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
INSERT INTO "entries" VALUES(10,1,1767225600000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(11,1,1767225600000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767229200000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(12,1,1767225600000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(13,1,1767225600010,110,'',0,'{"action":"hold","generation":2,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(14,1,1767225660010,104,'',0,'{"fits":3}',NULL);
INSERT INTO "entries" VALUES(15,1,1767225660010,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(16,1,1767225660010,109,'',0,'{"generation":3}',NULL);
INSERT INTO "entries" VALUES(17,1,1767225660010,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(18,1,1767229200000,9,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(19,1,1767229200000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(20,1,1767229200000,2,'',0,NULL,X'227061696422');
INSERT INTO "entries" VALUES(21,2,1767232860000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(22,2,1767232860000,1,'',0,'{"generation":3}',NULL);
INSERT INTO "entries" VALUES(30,2,1767232860000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(31,2,1767232860000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767236460000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(32,2,1767232860000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(33,2,1767232860010,110,'',0,'{"action":"warn","generation":4,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(34,2,1767232860010,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(42,2,1767232860010,1002,'do:1:charge card',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(43,2,1767232860010,112,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(44,2,1767232860010,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(45,2,1767232920010,110,'',0,'{"action":"warn","generation":5,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge card","counts":[1],"newKind":"do","newName":"charge","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge card",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge",1,"","src/entry.py:11"]],"missing":["do:1:charge card","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(46,2,1767232920010,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(47,2,1767232920010,112,'do:1:charge',0,NULL,NULL);
INSERT INTO "entries" VALUES(48,2,1767232920010,112,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(49,2,1767232920010,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(50,2,1767236460000,9,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(51,2,1767236460000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(52,2,1767236460000,2,'',0,NULL,X'227061696422');
INSERT INTO "entries" VALUES(53,3,1767240120000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(54,3,1767240120000,1,'',0,'{"generation":5}',NULL);
INSERT INTO "entries" VALUES(62,3,1767240120000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(63,3,1767240120000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767243720000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(64,3,1767240120000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(65,3,1767240120010,110,'',0,'{"action":"fail","generation":6,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(66,3,1767240120010,3,'',0,'{"error":{"name":"WorkflowDivergedError","message":"The code no longer fits what this instance has done: \"charge\" was renamed to \"charge card\", or \"charge card\" was put in its place or before it"}}',NULL);
INSERT INTO "entries" VALUES(67,4,1767247380000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(68,4,1767247380000,1,'',0,'{"generation":7}',NULL);
INSERT INTO "entries" VALUES(76,4,1767247380000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(77,4,1767247380000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767250980000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(78,4,1767247380000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(79,4,1767247380010,110,'',0,'{"action":"hold","generation":8,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(80,4,1767247440010,104,'',0,'{"fits":9}',NULL);
INSERT INTO "entries" VALUES(81,4,1767247440010,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(82,4,1767247440010,109,'',0,'{"generation":9}',NULL);
INSERT INTO "entries" VALUES(83,4,1767247440010,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(84,4,1767250980000,9,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(85,4,1767250980000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(86,4,1767250980000,2,'',0,NULL,X'227061696422');
INSERT INTO "entries" VALUES(87,5,1767254640000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(88,5,1767254640000,1,'',0,'{"generation":9}',NULL);
INSERT INTO "entries" VALUES(96,5,1767254640000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(97,5,1767254640000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767258240000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(98,5,1767254640000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(99,6,1767254640000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(100,6,1767254640000,1,'',0,'{"generation":9}',NULL);
INSERT INTO "entries" VALUES(108,6,1767254640000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(109,6,1767254640000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767258240000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(110,6,1767254640000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(111,7,1767254640000,0,'',0,'{"trigger":{"source":"binding"}}',X'7B7D');
INSERT INTO "entries" VALUES(112,7,1767254640000,1,'',0,'{"generation":9}',NULL);
INSERT INTO "entries" VALUES(120,7,1767254640000,1002,'do:1:charge',1,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',X'227061696422');
INSERT INTO "entries" VALUES(121,7,1767254640000,8,'sleep:1:settle',0,'{"durationMs":3600000,"untilMs":1767258240000,"line":"src/entry.py:12"}',NULL);
INSERT INTO "entries" VALUES(122,7,1767254640000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(123,5,1767254640010,110,'',0,'{"action":"hold","generation":10,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(124,6,1767254640020,110,'',0,'{"action":"hold","generation":10,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(125,7,1767254640020,110,'',0,'{"action":"hold","generation":10,"divergence":{"findings":[{"change":"renamed","kind":"do","name":"charge","counts":[1],"newKind":"do","newName":"charge card","detail":"","line":"src/entry.py:11","done":true}],"diff":[["-","do","charge",1,"succeeded","src/entry.py:11"],["-","sleep","settle",1,"sleeping","src/entry.py:12"],["+","do","charge card",1,"","src/entry.py:11"]],"missing":["do:1:charge","sleep:1:settle"],"later":["sleep:1:settle"],"stands":"rested","why":"","within":""}}',NULL);
INSERT INTO "entries" VALUES(126,6,1767254700000,104,'',0,'{"accepted":true}',NULL);
INSERT INTO "entries" VALUES(127,6,1767254700000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(128,7,1767254700000,111,'do:1:charge card',0,'{"from":"do:1:charge"}',NULL);
INSERT INTO "entries" VALUES(129,7,1767254700000,104,'',0,'{"renamed":{"charge":"charge card"}}',NULL);
INSERT INTO "entries" VALUES(131,6,1767254700000,1000,'do:1:charge card',0,'{"config":{"retries":{"limit":5,"delay":10000,"backoff":"exponential"},"timeout":"10 minutes"},"timeoutMs":600000,"delayMs":10000,"line":"src/entry.py:11"}',NULL);
INSERT INTO "entries" VALUES(132,7,1767254700000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(134,6,1767254700000,1001,'do:1:charge card',1,NULL,X'227061696422');
INSERT INTO "entries" VALUES(135,7,1767254700000,109,'',0,'{"generation":10}',NULL);
INSERT INTO "entries" VALUES(136,7,1767254700000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(137,6,1767254700000,112,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(138,6,1767254700000,101,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(139,6,1767258240000,9,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(140,6,1767258240000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(141,7,1767258240000,9,'sleep:1:settle',0,NULL,NULL);
INSERT INTO "entries" VALUES(142,7,1767258240000,100,'',0,NULL,NULL);
INSERT INTO "entries" VALUES(143,6,1767258240000,2,'',0,NULL,X'227061696422');
INSERT INTO "entries" VALUES(144,7,1767258240000,2,'',0,NULL,X'227061696422');
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,   -- the number in entries and on the screen
    code     TEXT    NOT NULL UNIQUE, -- equal for equal code
    since_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "generations" VALUES(1,'guest 1',1767225600000);
INSERT INTO "generations" VALUES(2,'guest 2',1767225600000);
INSERT INTO "generations" VALUES(3,'guest 3',1767225660000);
INSERT INTO "generations" VALUES(4,'guest 4',1767232860000);
INSERT INTO "generations" VALUES(5,'guest 5',1767232920000);
INSERT INTO "generations" VALUES(6,'guest 6',1767240120000);
INSERT INTO "generations" VALUES(7,'guest 7',1767240180000);
INSERT INTO "generations" VALUES(8,'guest 8',1767247380000);
INSERT INTO "generations" VALUES(9,'guest 9',1767247440000);
INSERT INTO "generations" VALUES(10,'guest 10',1767254640000);
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
INSERT INTO "instances" VALUES(1,'orders','fits',1767225600000,'complete',NULL,1767229200000,1767834000000);
INSERT INTO "instances" VALUES(2,'orders','warn-1',1767232860000,'complete',NULL,1767236460000,1767841260000);
INSERT INTO "instances" VALUES(3,'orders','fail-1',1767240120000,'errored',NULL,1767240120010,1767844920010);
INSERT INTO "instances" VALUES(4,'orders','hold-1',1767247380000,'complete',NULL,1767250980000,1767855780000);
INSERT INTO "instances" VALUES(5,'orders','held',1767254640000,'paused',NULL,NULL,NULL);
INSERT INTO "instances" VALUES(6,'orders','accepted',1767254640000,'complete',NULL,1767258240000,1767863040000);
INSERT INTO "instances" VALUES(7,'orders','renamed',1767254640000,'complete',NULL,1767258240000,1767863040000);
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

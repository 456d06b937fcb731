-- The journal, schema version 3. An instance is the fold of its entries, in order of id;
-- status, wake_ms and ended_ms repeat what the fold says, so that a start need not fold them all.
-- One row may hold several entries of a step: rows.py. docs/journal-format.md describes the file.
-- What has changed since version N is in migration-N+1.sql and the files after it.
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

CREATE INDEX instances_by_status ON instances (status, workflow);
CREATE INDEX instances_by_expiry ON instances (expires_ms) WHERE expires_ms IS NOT NULL;

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

CREATE INDEX entries_by_instance ON entries (instance, id);

-- One row: the highest ids ever given, written when rows are deleted.
CREATE TABLE high_water (
    entry    INTEGER NOT NULL,
    instance INTEGER NOT NULL
) STRICT;

INSERT INTO high_water VALUES (0, 0);

-- Versions of the user's code that runs have been started on.
CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,   -- the number in entries and on the screen
    code     TEXT    NOT NULL UNIQUE, -- equal for equal code
    since_ms INTEGER NOT NULL
) STRICT;

-- Byte streams that attempts of steps returned. A step's success names its stream; one that no
-- success names is of an attempt in flight, or is left over and is deleted.
CREATE TABLE stream_chunks (
    stream   INTEGER NOT NULL,      -- grows with time
    position INTEGER NOT NULL,      -- from 0
    instance INTEGER NOT NULL,
    chunk    BLOB    NOT NULL,      -- 256 KiB; the last may be shorter
    PRIMARY KEY (stream, position)
) STRICT;

CREATE INDEX stream_chunks_by_instance ON stream_chunks (instance, stream);

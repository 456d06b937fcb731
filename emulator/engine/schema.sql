-- The journal, schema version 1. An instance is the fold of its entries, in order of id;
-- status, wake_ms and ended_ms repeat what the fold says, so that a start need not fold them all.
CREATE TABLE instances (
    key        INTEGER PRIMARY KEY,
    workflow   TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    wake_ms    INTEGER,             -- when the next timer of a waiting instance is due
    ended_ms   INTEGER,
    UNIQUE (workflow, id)
) STRICT;

CREATE INDEX instances_by_status ON instances (status);

CREATE TABLE entries (
    id       INTEGER PRIMARY KEY,   -- grows with time; one of a deleted instance may come again
    instance INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    step     TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    data     TEXT,                  -- JSON
    value    BLOB                   -- tagged JSON
) STRICT;

CREATE INDEX entries_by_instance ON entries (instance, id);

-- From version 1 to 2: ids are never given twice, generations of code have durable numbers, and
-- ended instances can expire. Those that ended before have no expiry: they stay until pruned.
ALTER TABLE instances ADD COLUMN expires_ms INTEGER;

DROP INDEX instances_by_status;
CREATE INDEX instances_by_status ON instances (status, workflow);
CREATE INDEX instances_by_expiry ON instances (expires_ms) WHERE expires_ms IS NOT NULL;

CREATE TABLE high_water (
    entry    INTEGER NOT NULL,
    instance INTEGER NOT NULL
) STRICT;

INSERT INTO high_water VALUES (0, 0);

CREATE TABLE generations (
    id       INTEGER PRIMARY KEY,
    code     TEXT    NOT NULL UNIQUE,
    since_ms INTEGER NOT NULL
) STRICT;

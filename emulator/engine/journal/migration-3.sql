-- From version 2 to 3: byte streams that steps return.
CREATE TABLE stream_chunks (
    stream   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    instance INTEGER NOT NULL,
    chunk    BLOB    NOT NULL,
    PRIMARY KEY (stream, position)
) STRICT;

CREATE INDEX stream_chunks_by_instance ON stream_chunks (instance, stream);

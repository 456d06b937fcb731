"""The tables that FTS5 and R*Tree keep inside, which a worker may read and not write.

SQLite's defensive mode sees to that; Python can turn it on since 3.12. Before, the table a
statement writes to is read from its text. It decides nothing but that name.
"""

from __future__ import annotations

import functools
import re

from bindings.d1.splitter import tokens

WRITING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "DROP", "ALTER"})

_BEFORE_A_NAME = frozenset(
    "INSERT REPLACE UPDATE DELETE DROP ALTER TABLE INTO FROM OR ROLLBACK ABORT FAIL IGNORE IF "
    "EXISTS MAIN".split()
)
_SHADOW_NAME = re.compile(
    r".+_(?:data|idx|content|docsize|config|node|rowid|parent)", re.IGNORECASE
)
_BEGINNING_CHARS = 1_000  # the name stands in front; what follows may be long
_QUOTES = {'"': '"', "`": "`", "[": "]", "'": "'"}


def shadow_candidate(sql: str) -> str | None:
    """Return the table that `sql` writes to, if it is named as a shadow table may be.

    `'DELETE FROM main."notes_data"'` -> `notes_data`; None for `DELETE FROM notes`.
    """
    return _candidate(sql[:_BEGINNING_CHARS])


@functools.lru_cache(maxsize=512)
def _candidate(sql: str) -> str | None:
    for token in tokens(sql):
        if token.kind == "word" and token.text.upper() in _BEFORE_A_NAME:
            continue
        if token.kind in ("word", "quoted"):
            name = token.text
            end = _QUOTES.get(name[0])
            if end is not None:
                name = name[1:-1].replace(end * 2, end)
            if name.lower() != "main":
                return name if _SHADOW_NAME.fullmatch(name) else None
        elif token.kind not in ("space", "comment") and token.text not in ".;":
            return None
    return None

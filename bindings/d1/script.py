"""Splits a SQL file into the statements of one call, for migrations and `d1 execute`.

Differs: wrangler's own splitter removes comments inside statements, and counts BEGIN and END
instead of following SQLite's grammar. Valid SQL is split at the same places.
Source: https://github.com/cloudflare/workers-sdk/tree/main/packages/wrangler/src/d1 (splitter.ts,
trimmer.ts).
"""

from __future__ import annotations

from pathlib import Path

from bindings.sql.splitter import split_statements, tokens
from emulator.errors import UsageError

SEVERAL_TRANSACTIONS = (
    "Wrangler could not process the provided SQL file, as it contains several transactions.\n"
    "D1 runs your SQL in a transaction for you.\n"
    "Please export an SQL file from your SQLite database and try again."
)


def read_script(path: Path) -> str:
    """Return the text of a file of SQL. Raises UsageError when it is not readable text."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: byte {error.start} is not UTF-8 text\n"
            "  A file of SQL is saved as UTF-8; Windows PowerShell's `>` writes UTF-16."
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    line = text.partition("\0")[0].count("\n") + 1
    if "\0" in text:
        raise UsageError(
            f"{path}: line {line} has a NUL character: SQLite would stop reading there.\n"
            "  Remove it; inside a text, write char(0)."
        )
    return text


def script_statements(sql: str) -> list[str]:
    """Return the statements of `sql`, without empty ones and without those of comments only.

    One `BEGIN TRANSACTION;` with its `COMMIT;`, as `sqlite3 .dump` writes them, is removed.
    Raises UsageError when there are more.
    """
    texts = [part.text.strip() for part in split_statements(sql) if part.keyword]
    begins = [text for text in texts if _words(text) == ["BEGIN", "TRANSACTION"]]
    if len(begins) > 1:
        raise UsageError(SEVERAL_TRANSACTIONS)
    if begins:
        texts.remove(begins[0])
        commit = next((text for text in texts if _words(text) == ["COMMIT"]), None)
        if commit is not None:
            texts.remove(commit)
    return texts


def _words(sql: str) -> list[str]:
    kinds = ("space", "comment", "end")
    return [token.text.upper() for token in tokens(sql[:1000]) if token.kind not in kinds]

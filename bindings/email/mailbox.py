"""The mailbox of a project: every email that it has sent, received, forwarded and answered.

Source: docs/platform/email.md, "Locally".
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from bindings.email import headers
from bindings.store import Store
from emulator.sqlite import Synchronous

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
Way = Literal["sent", "received", "forwarded", "reply"]
SCHEMA = (
    """
    CREATE TABLE mails (
        number INTEGER PRIMARY KEY, way TEXT NOT NULL, at_ms INTEGER NOT NULL,
        message_id TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL,
        subject TEXT NOT NULL, size_bytes INTEGER NOT NULL, about INTEGER,
        outcome TEXT NOT NULL, reason TEXT NOT NULL, raw BLOB NOT NULL
    );
    CREATE INDEX by_message_id ON mails (message_id)
    """,
)
_COLUMNS = (
    "number, way, at_ms, message_id, sender, recipients, subject"
    ", size_bytes, about, outcome, reason"
)


class Mail(Struct, frozen=True):
    """What is known of an email besides its content.

    about: the number of the received email that this one forwards or answers. outcome, of a
    received one: `""` while the handler runs, then `"ok"`, `"exception"`, or `"rejected"` with a
    `reason`.
    """

    number: int
    way: str
    at_ms: int
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    size_bytes: int
    about: int | None
    outcome: str
    reason: str


class Mailbox:
    """The mails in the file `path`. Its methods raise WorkerError when the disk refuses."""

    def __init__(self, path: Path, now_ms: Callable[[], int], synchronous: Synchronous) -> None:
        self._store = Store(path, SCHEMA, synchronous)
        self.now_ms = now_ms
        self.removed = self._store.removed
        self.close = self._store.close

    async def add(
        self,
        way: Way,
        sender: str,
        recipients: list[str],
        raw: bytes,
        *,
        message_id: str,
        about: int | None = None,
    ) -> int:
        """Keep an email, and return its number; durable on return. Raises WorkerError."""
        subject = decoded(headers.read(raw).get("subject") or "")
        outcome = "" if way == "received" else "ok"
        row = (
            *(way, self.now_ms(), message_id, sender, json.dumps(recipients), subject),
            *(len(raw), about, outcome, "", raw),
        )

        def write(connection: sqlite3.Connection) -> int:
            marks = ", ".join("?" * len(row))
            names = f"{_COLUMNS.removeprefix('number, ')}, raw"
            done = connection.execute(f"INSERT INTO mails ({names}) VALUES ({marks})", row)
            assert done.lastrowid is not None
            return done.lastrowid

        return await self._store.write(write)

    async def settle(self, number: int, outcome: str, reason: str = "") -> None:
        """Say how the handler of a received email has ended; durable on return."""
        row = outcome, reason, number
        await self._store.write(
            lambda on: on.execute("UPDATE mails SET outcome = ?, reason = ? WHERE number = ?", row)
        )

    def newest(self, limit: int, way: Way | None = None) -> list[Mail]:
        """Return the newest mails, the newest first."""
        chosen = "" if way is None else "WHERE way = ?"
        given = (limit,) if way is None else (way, limit)
        rows = self._store.read(
            lambda on: on.execute(
                f"SELECT {_COLUMNS} FROM mails {chosen} ORDER BY number DESC LIMIT ?", given
            ).fetchall()
        )
        return [_mail(row) for row in rows]

    def get(self, named: str) -> tuple[Mail, bytes] | None:
        """Return an email and its content, by number or by message id, with or without `<>`."""
        column = "number" if named.isdecimal() else "message_id"
        plain = named.strip("<>")
        row = self._store.read(
            lambda on: on.execute(
                f"SELECT {_COLUMNS}, raw FROM mails WHERE {column} IN (?, ?)"
                " ORDER BY number DESC LIMIT 1",
                (plain, f"<{plain}>"),
            ).fetchone()
        )
        return None if row is None else (_mail(row[:-1]), bytes(row[-1]))


def _mail(row: tuple[Any, ...]) -> Mail:
    number, way, at_ms, message_id, sender, recipients, *rest = row
    return Mail(number, way, at_ms, message_id, sender, json.loads(recipients), *rest)


def decoded(value: str) -> str:
    """Return a header's value with what is encoded in it (RFC 2047) as text of one line."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        value = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        pass
    return _CONTROL.sub(" ", value)

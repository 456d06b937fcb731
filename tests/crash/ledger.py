"""The ledger: a file of JSON lines outside Groundfog's reach, appended to as things happen.

Callbacks and client write into the same file, each line with `fsync`, so its order is the order in
which things happened. Lines of a worker have `instance` and `run`, a name drawn by each `run()`:

    run                               `run()` begins
    start  site by uid attempt        a callback begins; by: the uid of the one it is in, or "run"
    end    site uid ok value          it returns `value`, or raises an error with that text
    saw    site by value              a call has a result; "!" and a text if that is an error
    left   value                      `run()` returns `value`
    undo   site value                 a rollback handler begins
    row    row                        a row is in D1
    made   instance                   a child was created
    told   instance type value        an event was sent to a parent

Lines of the client:

    ask    number operation instance … it asks for something
    answer number status              it is answered, or never is
    look   number                     it asks for all statuses
    paused instance look              the instance was seen to be paused, by the look of that number
    ended  instance status look       the instance was seen to have ended
    over                              the server is gone
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its place in the ledger, when it was written, and what it says."""

    place: int
    what: str
    at_ms: int
    says: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.says.get(name)


class Ledger:
    """The file, for whom it is not a worker's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, what: str, **more: object) -> None:
        """Append a line."""
        line = {"what": what, "at_ms": time.time_ns() // 1_000_000, **more}
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def lines(self) -> list[Line]:
        """Return all lines."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        found = []
        for place, written in enumerate(text.splitlines()):
            says = json.loads(written)
            found.append(Line(place, says.pop("what"), says.pop("at_ms"), says))
        return found


def brief(value: Any) -> str:
    """Return a short text that two values share only when they are equal."""
    from hashlib import sha256

    text = whole(value)
    if len(text) <= 80:
        return text
    return f"{text[:24]}…{len(text)}…{sha256(text.encode()).hexdigest()[:16]}"


def whole(value: Any) -> str:
    """Return a text that two values share only when they are equal."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"bytes {bytes(value).decode('latin-1')}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {whole(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(whole, value)) + "]"
    return str(value)

"""Where the alarms of objects are: in the file of each object, and a marker beside it.

`ID.alarm` is an empty file. It is created before an alarm is committed, and removed after the
alarm is gone. So a start finds every alarm without opening the files of all objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Names in the table _cf_METADATA of an object's file.
ALARM, ALARM_DUE, ALARM_RETRIES, NAME = "alarm", "alarm_due", "alarm_retries", "name"
RESTORE = "restore"  # `"BOOKMARK UNDO"`: what the next opening of the file restores
_SUFFIX = ".alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm: when it was set to ring, when it is to ring next, and how often it has failed."""

    at_ms: int
    due_ms: int
    retries: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the file of an object says of itself."""

    id: str
    name: str | None
    alarm: Alarm | None


def mark(file: Path) -> bool:
    """Note that an object may have an alarm; return whether that is new."""
    marker = file.with_suffix(_SUFFIX)
    if marker.exists():
        return False
    marker.touch()
    return True


def unmark(file: Path) -> None:
    """Note that an object has no alarm."""
    file.with_suffix(_SUFFIX).unlink(missing_ok=True)


def marked(folder: Path) -> Iterator[Stored]:
    """Yield the objects of a class that have an alarm."""
    for marker in sorted(folder.glob(f"*{_SUFFIX}")):
        found = stored(marker.with_suffix(".sqlite"))
        if found is None or found.alarm is None:
            marker.unlink(missing_ok=True)
        else:
            yield found


def stored(file: Path) -> Stored | None:
    """Return what a file says of its object; None if there is no such file, or it is damaged."""
    import apsw

    from bindings.sql.opening import open_read_only

    if not file.exists():
        return None
    try:
        connection = open_read_only(file)
        try:
            rows = connection.execute("SELECT name, value FROM _cf_METADATA").fetchall()
        finally:
            connection.close()
    except apsw.Error:
        return None
    values: dict[Any, Any] = {name: value for name, value in rows}
    alarm = None
    if values.get(ALARM) is not None:
        at_ms = values[ALARM]
        alarm = Alarm(at_ms, values.get(ALARM_DUE, at_ms), values.get(ALARM_RETRIES, 0))
    return Stored(file.stem, values.get(NAME), alarm)

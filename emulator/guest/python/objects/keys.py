"""The keys of one object, as its guest knows them.

Nobody else changes them, so what was read or written here is not asked for again. Writes are sent
together: at the end of the turn of the event loop, and before the host is asked for anything that
may depend on them. The host takes what came until `commit` as one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from ....protocol import values
from .. import conversion
from ..sdk.jserror import JsException
from .line import Line

KEY_MAX_BYTES = 2048
PAIR_MAX_BYTES = 2 * 1024 * 1024  # key and value, in SQLite
VALUE_MAX_BYTES = 128 * 1024  # in the older storage
KEYS_MAX = 128  # of one call, in the older storage
_KNOWN_MAX_CHARS = 4 * 1024 * 1024


class Keys:
    """Texts of values by key; None: there is no such key.

    has_alarm: the class has an alarm(). deletes_alarm: deleteAll() deletes the alarm too.
    """

    def __init__(self, line: Line, *, has_sql: bool, has_alarm: bool, deletes_alarm: bool) -> None:
        self.has_alarm = has_alarm
        self.deletes_alarm = deletes_alarm
        self._line = line
        self._has_sql = has_sql
        self._known: dict[str, str | None] = {}
        self._known_chars = 0
        self._unsent: dict[str, str | None] = {}
        self._is_dirty = False
        self._is_scheduled = False
        self.is_unconfirmed = False  # a commit may not be durable yet

    def get(self, keys: list[str]) -> list[str | None]:
        """Return the texts of keys."""
        for key in keys:
            _check_key(key)
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            self.send()
            for key, text in zip(missing, self._line.ask("get", missing), strict=True):
                self._remember(key, text)
        found = [self._known[key] for key in keys]
        if self._known_chars > _KNOWN_MAX_CHARS:
            self.forget()
        return found

    def put(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Store values. Raises JsException, then nothing is stored."""
        texts = {key: self._text(key, value) for key, value in pairs}
        for key, text in texts.items():
            self._unsent[key] = text
            self._remember(key, text)
        self.changed()

    def delete(self, keys: list[str]) -> int:
        """Delete keys; return how many there were."""
        found = [key for key, text in zip(keys, self.get(keys), strict=True) if text is not None]
        for key in found:
            self._unsent[key] = None
            self._remember(key, None)
        if found:
            self.changed()
        return len(set(found))

    def list(
        self, start: str, end: str | None, reverse: bool, limit: int | None
    ) -> list[list[str]]:
        """Return the pairs of a range, `end` not included."""
        self.send()
        found: list[list[str]] = self._line.ask("list", start, end, reverse, limit)
        return found

    def changed(self) -> None:
        """Something was written: commit it at the end of this turn."""
        self._is_dirty = True
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._commit_late)

    def send(self) -> None:
        """Send what was written, without an end of the transaction."""
        if self._unsent:
            unsent, self._unsent = self._unsent, {}
            self._line.tell("write", [list(pair) for pair in unsent.items()])

    def commit(self) -> None:
        """End the transaction, if there is one: answers that are sent now wait for it."""
        if self._is_dirty and not self._line.over:
            self._is_dirty, self.is_unconfirmed = False, True
            unsent, self._unsent = self._unsent, {}
            self._line.tell("commit", [list(pair) for pair in unsent.items()])

    def forget(self) -> None:
        """What is known may have changed: writes were undone."""
        self.send()
        self._known.clear()
        self._known_chars = 0

    def _commit_late(self) -> None:
        self._is_scheduled = False
        self.commit()

    def _remember(self, key: str, text: str | None) -> None:
        self._known[key] = text
        self._known_chars += len(key) + len(text or "")

    def _text(self, key: str, value: Any) -> str:
        _check_key(key)
        data = conversion.encode(value)
        size = values.size(data)
        if self._has_sql:
            if len(key.encode()) + size > PAIR_MAX_BYTES:
                raise JsException("string or blob too big: SQLITE_TOOBIG")
        elif size > VALUE_MAX_BYTES:
            text = f"Values cannot be larger than {VALUE_MAX_BYTES} bytes. A value of size {size}"
            raise JsException(f"{text} was provided.", "RangeError")
        return data.decode()


def text_of_key(key: Any) -> str:
    """Return the text that JavaScript makes of a key; it makes one of any value."""
    text = key if isinstance(key, str) else str(key)
    return text.encode("utf-8", "replace").decode()


def value_of(text: str | None) -> Any:
    """Return a new copy of a value."""
    return None if text is None else conversion.decode(text.encode())


def _check_key(key: str) -> None:
    if len(key) > KEY_MAX_BYTES // 4 and len(key.encode()) > KEY_MAX_BYTES:
        raise JsException(f"Keys cannot be larger than {KEY_MAX_BYTES} bytes.", "RangeError")

"""`ctx.storage`: keys, transactions, the alarm.

Calls are done when they are made. What user code awaits only has the answer.
Source: docs/platform/durable-objects.md, "Storage".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any

from ..calling import settle
from ..sdk.javascript.functions import python_of
from ..sdk.jsdict import JsDict
from ..sdk.jserror import JsException
from ..sdk.jsobject import JsObject
from ..sdk.jsproxy import plain
from .gate import InputGate
from .keys import KEYS_MAX, Keys, text_of_key, value_of
from .line import Line
from .sql import NO_SQL, SqlStorage

Answer = Coroutine[Any, Any, Any]
Pairs = list[tuple[str, Any]]
NO_HANDLER = "Your Durable Object class must have an alarm() handler in order to call setAlarm()"
_LIST_OPTIONS = ("start", "startAfter", "end", "prefix", "reverse", "limit")


class _Operations:
    """What a storage and a transaction have in common."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def get(self, key: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Return a value or None; of a list of keys, a JsDict of those that are there."""
        return _done("get", lambda: self._get(key))

    def put(self, key: Any, /, *rest: Any, **keywords: Any) -> Answer:
        """Store a value, or each one of a dict."""
        return _done("put", lambda: self._put(key, rest))

    def delete(self, key: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Delete a key and return whether it was there; of a list of keys, how many were."""
        return _done("delete", lambda: self._delete(key))

    def list(self, /, *options: Any, **keywords: Any) -> Answer:
        """Return a JsDict of keys in their order.

        Options: `start`, `startAfter`, `end`, `prefix`, `reverse`, `limit`.
        """
        return _done("list", lambda: JsDict(self._pairs(_options(options, keywords))))

    def getAlarm(self, options: Any = None) -> Answer:
        """Return when the alarm is to ring, in milliseconds; None without an alarm."""
        return _done("getAlarm", lambda: self._line.ask("get_alarm"))

    def setAlarm(self, when: Any, options: Any = None) -> Answer:
        """Let the alarm ring at a time, in milliseconds or as a datetime."""
        return _done("setAlarm", lambda: self._set_alarm(_milliseconds(when)))

    def deleteAlarm(self, options: Any = None) -> Answer:
        """Let no alarm ring."""
        return _done("deleteAlarm", lambda: self._set_alarm(None))

    def _set_alarm(self, ms: int | None) -> None:
        if ms is not None and not self._keys.has_alarm:
            raise JsException(NO_HANDLER, "TypeError")
        self._line.tell("set_alarm", ms)
        self._keys.changed()

    def _get(self, key: Any) -> Any:
        wanted = _listed(key)
        if wanted is None:
            return value_of(self._keys.get([text_of_key(key)])[0])
        found = zip(wanted, self._keys.get(wanted), strict=True)
        pairs = sorted((key, text) for key, text in found if text is not None)
        return JsDict({key: value_of(text) for key, text in pairs})

    def _put(self, key: Any, rest: tuple[Any, ...]) -> None:
        given = plain(key)
        if isinstance(given, Mapping):
            _check_count(len(given))
            self._keys.put([(text_of_key(name), value) for name, value in given.items()])
        elif rest:
            self._keys.put([(text_of_key(key), rest[0])])
        else:
            raise JsException("put() called with undefined value.", "TypeError")

    def _delete(self, key: Any) -> bool | int:
        wanted = _listed(key)
        if wanted is None:
            return bool(self._keys.delete([text_of_key(key)]))
        return self._keys.delete(wanted)

    def _pairs(self, given: Mapping[str, Any]) -> Pairs:
        asked = {name: given[name] for name in _LIST_OPTIONS if given.get(name) is not None}
        start, end = _range(asked)
        limit = asked.get("limit")
        if limit is not None and limit <= 0:
            raise JsException("List limit must be positive.", "TypeError")
        found = self._keys.list(start, end, bool(asked.get("reverse")), limit)
        return [(key, value_of(text)) for key, text in found]


class DurableObjectStorage(_Operations):
    """The storage of one object."""

    def __init__(self, line: Line, keys: Keys, gate: InputGate, *, has_sql: bool) -> None:
        super().__init__(line, keys)
        self._gate = gate
        self._sql = SqlStorage(line, keys) if has_sql else None
        self._kv = SyncKvStorage(line, keys)

    @property
    def sql(self) -> SqlStorage:
        """SQL on tables of the object's own. Raises JsException where the class has none."""
        if self._sql is None:
            raise JsException(NO_SQL)
        return self._sql

    @property
    def kv(self) -> SyncKvStorage:
        """The keys, without `await`. Raises JsException where the class has none of SQLite."""
        if self._sql is None:
            raise JsException(NO_SQL)
        return self._kv

    def deleteAll(self, options: Any = None) -> Answer:
        """Delete every key and table, and the alarm."""
        return _done("deleteAll", self._delete_all)

    def _delete_all(self) -> None:
        self._keys.send()
        self._line.tell("delete_all", self._keys.deletes_alarm)
        self._keys.forget()
        self._keys.changed()

    def getCurrentBookmark(self) -> Answer:
        """Return a bookmark: the storage as it is now can be restored with it."""
        return _done("getCurrentBookmark", lambda: self._asked("bookmark"))

    def getBookmarkForTime(self, when: Any) -> Answer:
        """Return the bookmark of a time, in milliseconds or as a datetime."""
        ask = lambda: self._asked("bookmark_at", _milliseconds(when))  # noqa: E731
        return _done("getBookmarkForTime", ask)

    def onNextSessionRestoreBookmark(self, bookmark: Any) -> Answer:
        """Restore a bookmark when the object is made anew; return the one that undoes that."""
        return _done("onNextSessionRestoreBookmark", lambda: self._restore(str(bookmark)))

    def _asked(self, method: str, *args: Any) -> Any:
        self._keys.commit()
        return self._line.ask(method, *args)

    def _restore(self, bookmark: str) -> Any:
        undo = self._asked("restore", bookmark)
        self._keys.changed()
        return undo

    async def sync(self) -> None:
        """Return when everything that was written is durable."""
        self._keys.commit()
        await self._line.durable()

    async def transaction(self, function: Callable[[Transaction], Any]) -> Any:
        """Await `function(txn)`; its writes are undone when it raises or calls `txn.rollback()`."""
        return await self._gate.run(lambda: self._transacted(function))

    async def _transacted(self, function: Callable[[Transaction], Any]) -> Any:
        transaction = Transaction(self._line, self._keys)
        self._begin()
        try:
            result = await settle(python_of(function)(transaction))
        except BaseException:
            self._undo(transaction)
            raise
        if transaction.is_undone:
            self._undo(transaction)
        else:
            self._release()
            transaction.over = "the transaction has completed"
        return result

    def transactionSync(self, function: Callable[[], Any]) -> Any:
        """Call `function()`; when it raises, its writes are undone."""
        self._begin()
        try:
            result = python_of(function)()
            if inspect.isawaitable(result):
                raise JsException(
                    "The callback of transactionSync() must not be asynchronous.", "TypeError"
                )
        except BaseException:
            self._undo(None)
            raise
        self._release()
        return result

    def _begin(self) -> None:
        self._keys.send()
        self._line.tell("savepoint")

    def _release(self) -> None:
        self._keys.send()
        self._line.tell("release")
        self._keys.changed()

    def _undo(self, transaction: Transaction | None) -> None:
        if transaction is not None:
            transaction.over = "rollback()"
        self._keys.forget()
        self._line.tell("roll_back")
        self._keys.changed()


class Transaction(_Operations):
    """What the function of a transaction gets. over: what it was ended by, or ""."""

    def __init__(self, line: Line, keys: Keys) -> None:
        super().__init__(line, keys)
        self.is_undone = False
        self.over = ""

    def __getattribute__(self, name: str) -> Any:
        over = object.__getattribute__(self, "__dict__").get("over")
        if over and name in ("get", "put", "delete", "list", "rollback"):
            raise JsException(f"Cannot call {name}() after {over}.")
        return object.__getattribute__(self, name)

    def rollback(self) -> None:
        """Undo everything when the function returns; nothing more can be done in it."""
        self.is_undone = True
        self.over = "rollback()"


class SyncKvStorage(_Operations):
    """`ctx.storage.kv`: the same keys, without `await`."""

    def get(self, key: Any, /) -> Any:
        """Return a value or None."""
        return self._get(text_of_key(key))

    def put(self, key: Any, value: Any, /) -> None:  # type: ignore[override]
        """Store a value."""
        self._put(text_of_key(key), (value,))

    def delete(self, key: Any, /) -> bool:  # type: ignore[override]
        """Delete a key; return whether it was there."""
        return bool(self._delete(text_of_key(key)))

    def list(self, /, *options: Any, **keywords: Any) -> Iterator[Any]:  # type: ignore[override]
        """Yield `[key, value]` of each key, in their order."""
        return iter([[key, value] for key, value in self._pairs(_options(options, keywords))])


def _done(name: str, work: Callable[[], Any]) -> Answer:
    """Do `work` now, and return what gives its result to whoever awaits it."""
    try:
        result, error = work(), None
    except Exception as raised:
        result, error = None, raised
    answer = _answered(result, error)
    answer.__qualname__ = f"call of ctx.storage.{name}"  # type: ignore[attr-defined]
    return answer


async def _answered(result: Any, error: Exception | None) -> Any:
    if error is not None:
        raise error
    return result


def _listed(key: Any) -> list[str] | None:
    given = plain(key) if not isinstance(key, str) else key
    if not isinstance(given, (list, tuple)):
        return None
    _check_count(len(given))
    return [text_of_key(each) for each in given]


def _check_count(count: int) -> None:
    if count > KEYS_MAX:
        raise JsException(f"Maximum number of keys is {KEYS_MAX}.", "RangeError")


def _options(given: tuple[Any, ...], keywords: dict[str, Any]) -> Mapping[str, Any]:
    options = plain(given[0]) if given and given[0] is not None else keywords
    return options if isinstance(options, Mapping) else {}


def _range(asked: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return where a list begins and where it ends. Raises JsException."""
    if "start" in asked and "startAfter" in asked:
        text = "list() cannot be called with both start and startAfter values."
        raise JsException(text, "TypeError")
    start = text_of_key(asked.get("start", ""))
    if "startAfter" in asked:
        start = text_of_key(asked["startAfter"]) + "\0"  # the least key that is greater
    end = text_of_key(asked["end"]) if "end" in asked else None
    prefix = text_of_key(asked.get("prefix", ""))
    if prefix:
        start = max(start, prefix)
        after = _after(prefix)
        end = after if end is None or (after is not None and after < end) else end
    return start, end


def _after(prefix: str) -> str | None:
    """Return the least text above all that begin so; None if there is none."""
    for place in range(len(prefix) - 1, -1, -1):
        if ord(prefix[place]) < 0x10FFFF:
            code = ord(prefix[place]) + 1
            next_one = chr(0xE000 if 0xD800 <= code < 0xE000 else code)
            return prefix[:place] + next_one
    return None


def _milliseconds(when: Any) -> int:
    """Return a time in milliseconds. Raises JsException for what is no time."""
    given = plain(when) if isinstance(when, JsObject) else when
    if isinstance(given, datetime):
        return round(given.timestamp() * 1000)
    if isinstance(given, int | float) and not isinstance(given, bool):
        if given <= 0:
            text = "setAlarm() cannot be called with an alarm time <= 0"
            raise JsException(text, "TypeError")
        return int(given)
    raise JsException("setAlarm() needs a time in milliseconds or a date.", "TypeError")


for _class in (DurableObjectStorage, Transaction, SyncKvStorage):
    _class.__module__ = "workers"

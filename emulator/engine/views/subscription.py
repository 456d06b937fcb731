"""Subscriptions: the event log of one instance, first the recorded part, then new events.

The journal is the buffer: a commit wakes a subscription, which then reads the new entries. So no
event is missed, none comes twice, and a slow reader takes no memory.
Source: docs/platform/workflows-rest.md, "Subscriptions".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from emulator.engine.journal.journal import Journal
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import TERMINAL
from emulator.engine.views.log import EVENT_TYPES, Log, LogEvent
from emulator.errors import StateError, WorkerError
from emulator.protocol.values import MAX_SAFE_INTEGER

_PAGE_ROWS = 64  # each may hold a value of 1 MiB


class Wanted(NamedTuple):
    """Which events: those after `cursor`, of the types in `filter` if it is given.

    local: also Groundfog's own events.
    """

    cursor: int = 0
    filter: frozenset[str] | None = None
    local: bool = False

    def has(self, event: LogEvent) -> bool:
        """Whether this event is wanted."""
        if event.id <= self.cursor:
            return False
        if event.type not in EVENT_TYPES:
            return self.local and self.filter is None
        return self.filter is None or event.type in self.filter


def parse_options(options: Any) -> Wanted:
    """Return the parsed `{"cursor"?, "filter"?}` of user code. Raises WorkerError."""
    options = {} if options is None else options
    if not isinstance(options, dict) or not options.keys() <= {"cursor", "filter"}:
        raise _invalid()
    cursor, wanted = options.get("cursor", 0), options.get("filter")
    if isinstance(cursor, bool) or not isinstance(cursor, int | float) or cursor % 1:
        raise _invalid()
    if not 0 <= cursor <= MAX_SAFE_INTEGER:
        raise _invalid()
    if "filter" not in options:
        return Wanted(int(cursor))
    if not isinstance(wanted, list) or not all(
        isinstance(name, str) and name in EVENT_TYPES for name in wanted
    ):
        raise _invalid()
    return Wanted(int(cursor), frozenset(wanted))


def encoded(journal: Journal, key: int, instance_id: str, options: object) -> AsyncIterator[bytes]:
    """Return the events of an instance in tagged JSON. Raises WorkerError for wrong options."""
    return _encoded(Subscription(journal, key, parse_options(options)), instance_id)


async def _encoded(subscription: Subscription, instance_id: str) -> AsyncIterator[bytes]:
    try:
        while (event := await subscription.next()) is not None:
            yield event.encoded(instance_id)
    finally:
        subscription.close()


def _invalid() -> WorkerError:
    return WorkerError("Invalid Workflow subscription options")


class Subscription:
    """The events of one instance. It ends when the instance ends or is deleted, or the host stops.

    After a call of `next`, close it or read it to its end. Use it on the event loop's thread.
    """

    def __init__(self, journal: Journal, key: int, wanted: Wanted) -> None:
        self.last_id = wanted.cursor  # of the last event that was returned or left out
        self._journal = journal
        self._key = key
        self._wanted = wanted
        self._log = Log()
        self._read_id = 0
        self._page: deque[tuple[int, Entry]] = deque()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._watching = False
        self.ended = False

    async def next(self) -> LogEvent | None:
        """Return the next event, or None when there will be no more.

        Raises StateError when the journal cannot be read; then the subscription is over.
        """
        async with self._turn:  # each of several callers gets one event, in order
            try:
                while not self.ended:
                    event = self.take()
                    if event is not None or self.ended:
                        return event
                    self._watch()
                    await self._news.wait()
                    self._news.clear()
            except StateError:
                self.close()
                raise
        return None

    def take(self) -> LogEvent | None:
        """Return the next event, if there is one already."""
        while not self.ended:
            if not self._journal.watchers.is_open:
                self.close()
                return None
            if not self._page and not self._read():
                if not self._journal.is_pending(self._key):  # else its commit wakes us
                    row = self._journal.row(self._key)
                    if row is None or row.status in TERMINAL:
                        self.close()
                return None
            self._read_id, entry = self._page.popleft()
            event = self._log.event(self._read_id, entry)
            if event is None:
                continue
            self.last_id = max(self.last_id, event.id)
            if event.is_terminal and event.id > self._wanted.cursor:
                self.close()
            if self._wanted.has(event):
                return event
        return None

    def kept(self) -> int:
        """Return how much it keeps in memory: entries it has read ahead, and steps in progress."""
        return len(self._page) + self._log.steps_in_progress

    def close(self) -> None:
        """End it; callers that wait for an event get None."""
        self.ended = True
        self._page.clear()
        self._journal.watchers.remove(self._key, self._news.set)
        self._news.set()

    def _read(self) -> bool:
        page = self._journal.entries_after(self._key, self._read_id, _PAGE_ROWS)
        self._page.extend(page)
        return bool(page)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._journal.watchers.add(self._key, self._news.set)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> LogEvent:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

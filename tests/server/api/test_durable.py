"""Routes that only read: what they tell is durable by then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from starlette.requests import Request

from emulator.server.api.envelope import Answer
from emulator.server.api.workflows.durable import durable
from tests.engine.disk import Disk

REQUEST = Request({"type": "http"})


def told(path: Path, *, refused: bool) -> list[Any]:
    """What a route tells of a new instance, and whether it was durable by then."""

    async def main() -> list[Any]:
        disk = Disk(path / "journal.sqlite")
        journal = disk.journal
        host = cast(Any, SimpleNamespace(engine=SimpleNamespace(journal=journal)))

        async def read(request: Request) -> Answer:
            return Answer([row.id for row in journal.every()])

        if refused:
            disk.refuse_commits()
        key = journal.new_instance("orders", "a", 1)
        answer = await durable(host, read)(REQUEST)
        assert isinstance(answer, Answer)
        found = [answer.result, journal.is_pending(key)]
        journal.close()
        return found

    return asyncio.run(main())


def test_an_answer_waits_until_what_it_tells_is_durable(tmp_path: Path) -> None:
    assert told(tmp_path, refused=False) == [["a"], False]


def test_what_could_not_be_recorded_is_not_told(tmp_path: Path) -> None:
    assert told(tmp_path, refused=True) == [[], False]

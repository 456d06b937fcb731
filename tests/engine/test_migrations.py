"""Journals of earlier versions: `data/journal-v1.sql` was written by the first released engine."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.clock import VirtualClock
from emulator.engine.journal import schema
from emulator.engine.journal.journal import Journal
from emulator.engine.model.divergence import Policy
from emulator.engine.model.instance_entries import RestartPoint
from emulator.errors import StateError
from tests.engine.scripted import Step
from tests.engine.world import CLASS, DAY, NAME, World

DATA = Path(__file__).parent / "data"
WRITTEN_AT_MS = 1_767_239_000_000  # a little after the last entry of the dump

Event = dict[str, Any]


def first_release(path: Path) -> None:
    """Write the journal that version 1 of the schema left behind."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript((DATA / "journal-v1.sql").read_text(encoding="utf-8"))
    connection.close()


def rows(path: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
    connection.close()
    return found


def test_every_instance_and_entry_of_the_first_release_is_still_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first_release(path)
    columns = "key, workflow, id, created_ms, status, wake_ms, ended_ms"
    instances, entries = rows(path, "instances", columns), rows(path, "entries", "*")

    Journal.open(path).close()

    assert len(instances) == 13 and len(entries) > 100
    assert rows(path, "instances", columns) == instances
    assert rows(path, "entries", "*") == entries


def test_a_migrated_journal_has_the_tables_and_indexes_of_a_new_one(tmp_path: Path) -> None:
    first_release(tmp_path / "old.sqlite")

    def shape(path: Path) -> dict[str, list[tuple[Any, ...]]]:
        Journal.open(path).close()
        with sqlite3.connect(path) as connection:
            found = {"version": connection.execute("PRAGMA user_version").fetchall()}
            for kind, name in connection.execute("SELECT type, name FROM sqlite_schema").fetchall():
                found[name] = connection.execute(f"PRAGMA {kind}_xinfo('{name}')").fetchall()
        connection.close()
        return found

    assert shape(tmp_path / "old.sqlite") == shape(tmp_path / "new.sqlite")


def test_the_instances_of_the_first_release_go_on_to_their_ends(tmp_path: Path) -> None:
    first_release(tmp_path / "journal.sqlite")

    async def workflow(event: Event, step: Step) -> Any:
        match event["payload"]["what"]:
            case "sleeping":
                kept = await step.do("before", lambda ctx: "changed")
                await step.sleep("long", "30 days")
                return [kept, await step.do("after", lambda ctx: "woken")]
            case "waiting":
                await step.do("before", lambda ctx: "changed")
                return (await step.wait_for_event("answer", "answer"))["payload"]
            case "retrying":
                config = {"retries": {"limit": 5, "delay": "1 hour", "backoff": "constant"}}
                return await step.do("try", lambda ctx: ctx.attempt, config)
            case "stuck":
                kept = await step.do("before", lambda ctx: "changed")
                return [kept, await step.do("work", lambda ctx: ctx.attempt)]
            case "everything":
                await step.do("plan", lambda ctx: "changed")
                return "enough"
            case _:
                return "nothing"

    async def story(world: World) -> None:
        await world.settle()
        await world.send("answer", "yes", "waiting")
        await world.resume("paused")
        await world.resume("pausing")
        await world.advance(DAY)  # within the week in which ended instances are kept

        assert world.output("complete") == {"by": {"name": "Ada"}}
        assert world.error("errored") == ("ValueError", "as told")
        assert world.output("waiting") == "yes"
        assert world.output("retrying") == 3  # two attempts had failed before
        assert world.output("moved") == ["kept", 3] and world.output("pausing") == ["kept", 2]
        assert world.output("restarted") == "enough"
        assert world.output("queued") == "nothing"

        await world.advance(30 * DAY)

        assert world.output("sleeping") == world.output("paused") == ["kept", "woken"]

    in_time(tmp_path, workflow, story)


def in_time(
    directory: Path,
    workflow: Callable[[Event, Step], Any],
    story: Callable[[World], Awaitable[None]],
) -> None:
    """Run `story` on the journal of the first release, soon after it was written."""

    async def main() -> None:
        world = World(directory, {CLASS: workflow}, clock=VirtualClock(WRITTEN_AT_MS))
        world.engine.divergences.policy = Policy.WARN  # the code of that time is not at hand
        try:
            await story(world)
        finally:
            world.crash()

    asyncio.run(main())


def test_values_of_the_first_release_are_what_they_were(tmp_path: Path) -> None:
    first_release(tmp_path / "journal.sqlite")

    async def workflow(event: Event, step: Step) -> Any:
        def never(ctx: Any) -> None:
            raise AssertionError("it has succeeded before")

        await step.do("plan", never)
        return await step.do("charge", never)

    async def story(world: World) -> None:
        await world.restart("complete", RestartPoint("rest", type="sleep"))
        charged = world.output("complete")

        assert charged["charged"] is True and charged["raw"] == b"\x00\x01"
        assert charged["at"] == datetime(2026, 1, 1, tzinfo=UTC)

    in_time(tmp_path, workflow, story)


def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite"
    first_release(path)
    folder = tmp_path / "migrations"
    folder.mkdir()
    for script in Path(schema.__file__).parent.glob("migration-*.sql"):
        shutil.copy(script, folder)
    with (folder / f"migration-{schema.SCHEMA_VERSION}.sql").open("a") as last:
        last.write("\nINSERT INTO nowhere VALUES (1);")
    monkeypatch.setattr(schema, "FOLDER", folder)
    before = rows(path, "sqlite_schema", "name, sql")

    with pytest.raises(StateError, match="nowhere"):
        Journal.open(path)

    assert rows(path, "sqlite_schema", "name, sql") == before
    assert rows(path, "pragma_user_version", "*") == [(1,)]


def test_instances_that_ended_before_there_was_retention_never_expire(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first_release(path)

    Journal.open(path).close()

    assert {expiry for _, expiry in rows(path, "instances", "key, expires_ms")} == {None}


def test_a_journal_that_has_been_migrated_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first_release(path)
    Journal.open(path).close()
    before = path.read_bytes()

    journal = Journal.open(path)

    assert journal.find(NAME, "sleeping") == 5
    journal.close()
    assert path.read_bytes() == before

"""The journal file: what is refused, what a commit holds, and what waits for it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.answers.creation import NewInstance
from emulator.engine.decide.step_config import resolve_config
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.schema import SCHEMA_VERSION
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.model.step_entries import StepStart
from emulator.errors import StateError
from emulator.protocol.runs import RunStart, StepDone
from tests.engine.disk import Disk
from tests.engine.scripted import Step
from tests.engine.world import HOUR, SECOND, World, play
from tests.waiting import DEADLINE_S

Event = dict[str, Any]


def write_journal(path: Path) -> None:
    """Write a journal with one instance, as a host leaves it that was stopped properly."""

    async def main() -> None:
        journal = Journal.open(path)
        key = journal.new_instance("orders", "a", 1)
        for number in range(200):
            step = f"do:1:step {number}"
            journal.append(
                Entry(
                    key,
                    1,
                    EntryKind.STEP_START,
                    step,
                    data=StepStart(resolve_config(None)),
                )
            )
        journal.close()

    asyncio.run(main())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def corrupt(path: Path) -> None:
    write_journal(path)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x7f" * (len(data) - 4096)
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    write_journal(path)
    path.write_bytes(path.read_bytes()[:8192])


def text(path: Path) -> None:
    path.write_text("Dear diary, nothing happened today.\n" * 200, encoding="utf-8")


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
        connection.execute("INSERT INTO customers VALUES ('Ada')")
    connection.close()


def other_database_in_wal_mode(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def newer(path: Path) -> None:
    write_journal(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


def emptied(path: Path) -> None:
    write_journal(path)
    os.truncate(path, 0)


def emptied_beside_its_log(path: Path) -> None:
    killed_journal(path)
    os.truncate(path, 0)


def without_its_tables(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE instances (key INTEGER)")
    connection.execute("DROP TABLE instances")
    connection.close()


def killed_journal(path: Path) -> None:
    """Leave the files of a journal as a kill leaves them: what it holds is in its log."""

    async def main() -> None:
        live = path.with_name("live.sqlite")
        journal = Journal.open(live)
        journal.new_instance("orders", "a", 1)
        await journal.committed()
        path.write_bytes(live.read_bytes())
        Path(f"{path}-wal").write_bytes(Path(f"{live}-wal").read_bytes())
        journal.close()
        live.unlink()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (emptied, "the journal is empty. Groundfog never does that"),
        (emptied_beside_its_log, "the journal is empty. Groundfog never does that"),
        (without_its_tables, "the journal is empty. Groundfog never does that"),
        (corrupt, "the journal is damaged and cannot be opened"),
        (cut_off, "the journal is damaged and cannot be opened"),
        (text, "this is not a SQLite database"),
        (other_database, "a SQLite database, but not a journal"),
        (other_database_in_wal_mode, "a SQLite database, but not a journal"),
        (newer, "written by a newer Groundfog"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_file_that_is_not_a_usable_journal_is_refused_and_stays_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "journal.sqlite"
    make(path)
    before = contents(tmp_path)

    with pytest.raises(StateError, match=message) as caught:
        Journal.open(path)

    assert contents(tmp_path) == before
    assert str(caught.value).startswith(f"{path}: ")
    assert "Nothing was changed." in str(caught.value)
    # A reset without the folder of the damaged state would delete sound state elsewhere.
    assert "state reset" not in str(caught.value) or "--persist-to" in str(caught.value)


def test_a_directory_in_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.mkdir()

    with pytest.raises(StateError, match="cannot be opened"):
        Journal.open(path)

    assert list(path.iterdir()) == []


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_crash_while_the_journal_is_created_leaves_what_starts(
    tmp_path: Path, moment: str
) -> None:
    path = tmp_path / "journal.sqlite"
    script = f"""
import os, sys
from pathlib import Path
from emulator import disk
from emulator.engine.journal.journal import Journal

def die(*args):
    os._exit(9)

if {moment!r} == "write":  # the file is there, and nothing in it
    disk.open = die
elif {moment!r} == "fsync":
    os.fsync = die
else:
    Path.replace = die
Journal.open(Path(sys.argv[1]))
"""
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == 9
    assert not path.exists()

    Journal.open(path).close()

    assert list(contents(tmp_path)) == ["journal.sqlite"]


def test_the_log_of_a_removed_journal_is_not_taken_for_the_log_of_a_new_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.sqlite"
    killed_journal(path)
    path.unlink()

    journal = Journal.open(path)

    assert journal.find("orders", "a") is None
    journal.close()


def test_a_journal_in_a_folder_with_odd_characters_opens_again(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? ünï"
    folder.mkdir()
    path = folder / "journal.sqlite"
    write_journal(path)

    journal = Journal.open(path)

    assert journal.find("orders", "a") == 1
    journal.close()


def test_what_is_still_in_the_write_ahead_log_is_read_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    killed_journal(path)

    journal = Journal.open(path)

    assert journal.find("orders", "a") == 1
    journal.close()


def test_everything_written_in_one_turn_is_one_transaction(tmp_path: Path) -> None:
    async def main() -> int:
        disk = Disk(tmp_path / "journal.sqlite")
        journal, statements = disk.journal, disk.statements()
        for number in range(50):
            key = journal.new_instance("orders", f"i{number}", 1)
            journal.append(Entry(key, 1, EntryKind.WORKFLOW_QUEUED))
            journal.set_status(key, Status.RUNNING, None, None)
        await asyncio.gather(*(journal.committed() for _ in range(50)))
        journal.close()
        return sum("BEGIN" in statement for statement in statements)

    assert asyncio.run(main()) == 1


def test_instances_side_by_side_share_their_transactions(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        for number in range(5):
            await step.do(f"step {number}", lambda ctx: None)

    async def story(world: World) -> None:
        statements = world.disk.statements()
        await world.control.create_batch("orders", [NewInstance(f"i{n}") for n in range(50)])
        await world.settle()

        assert all(world.status(f"i{n}") == "complete" for n in range(50))
        # Not shared, they would be 500 and more; how few depends on how busy the machine is.
        assert statements.count("COMMIT") < 50

    play(tmp_path, workflow, story)


def test_a_commit_that_fails_writes_nothing_and_tells_all_who_wait(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk(tmp_path / "journal.sqlite")
        journal = disk.journal
        disk.refuse_commits()
        journal.new_instance("orders", "a", 1)
        outcomes: list[Exception | None] = []
        journal.after_commit(outcomes.append)
        journal.after_commit(outcomes.append)
        with pytest.raises(StateError, match="not recorded: not authorized"):
            await journal.committed()
        disk.accept_commits()

        assert [str(outcome) for outcome in outcomes] == ["not authorized"] * 2
        assert journal.find("orders", "a") is None
        journal.close()

    asyncio.run(main())


def test_an_unforeseen_failure_does_not_leave_a_transaction_open(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        journal.append(Entry(1, 1, EntryKind.STEP_START, "do:1:\ud800"))
        outcomes: list[sqlite3.Error | None] = []
        journal.after_commit(outcomes.append)
        journal.end_turn()
        assert isinstance(outcomes[0], sqlite3.DataError)
        journal.new_instance("orders", "a", 1)
        await journal.committed()

        assert journal.find("orders", "a") == 1
        journal.close()

    asyncio.run(main())


def test_a_read_sees_what_is_pending_and_calls_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        heard: list[object] = []
        journal.after_commit(heard.append)
        journal.on_commit = heard.append
        key = journal.new_instance("orders", "a", 1)
        journal.watchers.add(key, lambda: heard.append("news"))
        entry = Entry(key, 1, EntryKind.WORKFLOW_RUNNING)
        journal.append(entry)

        assert list(journal.entries(key)) == [entry]
        assert [row.id for row in journal.every()] == ["a"]
        assert journal.query("SELECT count(*) FROM entries") == [(1,)]
        assert (heard, journal.is_pending(key)) == ([], True)

        await journal.committed()
        assert heard == [None, [entry], "news"]
        journal.close()

    asyncio.run(main())


def test_what_was_read_in_a_turn_is_lost_with_the_rest_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk(tmp_path / "journal.sqlite")
        journal = disk.journal
        failed: list[set[int]] = []
        journal.on_failure = lambda keys, error: failed.append(keys)
        disk.refuse_commits()
        first = journal.new_instance("orders", "a", 1)
        assert len(journal.every()) == 1
        second = journal.new_instance("orders", "b", 1)
        with pytest.raises(StateError, match="not recorded"):
            await journal.committed()
        disk.accept_commits()

        assert failed == [{first, second}]
        assert journal.every() == []
        journal.close()

    asyncio.run(main())


def test_a_read_of_what_cannot_be_written_sees_the_file_and_the_turn_fails(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        key = journal.new_instance("orders", "a", 1)
        await journal.committed()
        failed: list[set[int]] = []
        journal.on_failure = lambda keys, error: failed.append(keys)
        journal.append(Entry(key, 1, EntryKind.STEP_SUCCESS, "do:1:\ud800"))

        assert (list(journal.entries(key)), failed) == ([], [])
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING))
        with pytest.raises(StateError, match="not recorded"):
            await journal.committed()

        assert (list(journal.entries(key)), failed) == ([], [{key}])
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING))
        await journal.committed()
        assert len(list(journal.entries(key))) == 1
        journal.close()

    asyncio.run(main())


def test_only_what_is_durable_is_told_as_news(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        key = journal.new_instance("orders", "a", 1)
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING))
        await journal.committed()
        journal.append(Entry(key, 2, EntryKind.WORKFLOW_WAITING))
        assert len(list(journal.entries(key))) == 2

        assert [entry.at_ms for _, entry in journal.entries_after(key, 0, 9)] == [1]
        await journal.committed()
        assert [entry.at_ms for _, entry in journal.entries_after(key, 0, 9)] == [1, 2]
        journal.close()

    asyncio.run(main())


def test_a_late_entry_that_was_read_is_committed_anyway(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        key = journal.new_instance("orders", "a", 1)
        await journal.committed()
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING), late=True)
        assert len(list(journal.entries(key))) == 1

        news = asyncio.Event()
        journal.watchers.add(key, news.set)
        await asyncio.wait_for(news.wait(), DEADLINE_S)

        assert not journal.is_pending(key)
        journal.close()

    asyncio.run(main())


def test_no_step_is_answered_before_its_commit(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: gate.wait())

    async def story(world: World) -> None:
        await world.create()
        world.disk.refuse_commits()
        gate.set()
        await world.settle()
        assert world.sent(StepDone) == []
        world.disk.accept_commits()
        await world.advance(10 * SECOND)

        assert world.status() == "complete"
        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_a_run_gets_no_history_before_its_commit(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * SECOND)
        world.disk.refuse_commits()
        world.guest.sent.clear()
        await world.advance(2 * HOUR)
        assert world.sent(RunStart) == []
        world.disk.accept_commits()
        await world.advance(SECOND)

        assert world.status() == "complete"
        assert world.kinds().count(EntryKind.SLEEP_COMPLETE) == 1

    play(tmp_path, workflow, story)


def test_no_event_is_acknowledged_that_was_not_recorded(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return (await step.wait_for_event("answer", "answer"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * SECOND)
        world.disk.refuse_commits()
        with pytest.raises(Exception, match="not recorded"):
            await world.send("answer", "lost")
        world.disk.accept_commits()
        await world.advance(2 * SECOND)
        await world.send("answer", "kept")

        assert world.output() == "kept"

    play(tmp_path, workflow, story)


def test_the_id_of_an_entry_is_never_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"

    def highest(path: Path) -> int:
        with sqlite3.connect(path) as connection:
            number = connection.execute("SELECT max(id) FROM entries").fetchone()[0]
        connection.close()
        return int(number)

    async def write(*, delete: bool) -> None:
        journal = Journal.open(path)
        key = journal.new_instance("orders", "a", 1)
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_QUEUED))
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_START))
        await journal.committed()
        if delete:
            journal.delete(key)
        journal.close()

    asyncio.run(write(delete=True))
    asyncio.run(write(delete=False))

    assert highest(path) == 4


def test_entries_struck_from_the_end_do_not_give_their_ids_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"

    async def main() -> list[int]:
        journal = Journal.open(path)
        key = journal.new_instance("orders", "a", 1)
        for _ in range(3):
            journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING))
        journal.strike(key, [number for number, _ in journal.numbered(key)][1:])
        journal.close()
        journal = Journal.open(path)
        journal.append(Entry(key, 1, EntryKind.WORKFLOW_RUNNING))
        ids = [number for number, _ in journal.numbered(key)]
        journal.close()
        return ids

    assert asyncio.run(main()) == [1, 4]


def test_the_key_of_an_instance_is_never_given_twice(tmp_path: Path) -> None:
    async def main() -> list[int]:
        keys = []
        for _ in range(2):
            journal = Journal.open(tmp_path / "journal.sqlite")
            keys.append(journal.new_instance("orders", "a", 1))
            await journal.committed()
            journal.delete(keys[-1])
            journal.close()
        return keys

    assert asyncio.run(main()) == [1, 2]

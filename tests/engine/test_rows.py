"""How entries are stored: fewer rows than entries, and every entry comes back as it was."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from emulator.engine.decide.step_config import resolve_config
from emulator.engine.journal.journal import Journal
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure
from emulator.engine.model.step_entries import AttemptFailure, Origin, SharedStart
from tests.waiting import DEADLINE_S

K = EntryKind
START = SharedStart.shared(resolve_config({"timeout": 1}), Origin('a"b.py:3'))
ERROR = ErrorInfo("E", "m")


def begun(step: str = "do:1:a", at_ms: int = 1, instance: int = 1) -> list[Entry]:
    return [
        Entry(instance, at_ms, K.STEP_START, step, data=START),
        Entry(instance, at_ms, K.ATTEMPT_START, step, 1),
    ]


def done(step: str = "do:1:a", at_ms: int = 1, attempt: int = 1, instance: int = 1) -> list[Entry]:
    return [
        Entry(instance, at_ms, K.ATTEMPT_SUCCESS, step, attempt),
        Entry(instance, at_ms, K.STEP_SUCCESS, step, value=b"42"),
    ]


def stored(path: Path, *groups: list[Entry]) -> tuple[int, list[tuple[int, Entry]]]:
    """Record groups in one commit; return how many rows they take, and what is read back."""

    async def main() -> tuple[int, list[tuple[int, Entry]]]:
        journal = Journal.open(path / "journal.sqlite", "NORMAL")
        for group in groups:
            journal.append(*group)
        await journal.committed()
        rows = journal.query("SELECT count(*) FROM entries")[0][0]
        found = [
            each
            for (key,) in journal.query("SELECT DISTINCT instance FROM entries")
            for each in journal.numbered(key)
        ]
        journal.close()
        return rows, found

    return asyncio.run(main())


def check(path: Path, rows: int, *groups: list[Entry]) -> None:
    """The groups take this many rows and are read back in order, with ids that grow."""
    found_rows, found = stored(path, *groups)
    assert [entry for _, entry in found] == [entry for group in groups for entry in group]
    ids = [number for number, _ in found]
    assert ids == sorted(set(ids))
    assert found_rows == rows


def test_a_step_that_begins_and_ends_in_one_commit_is_one_row(tmp_path: Path) -> None:
    check(tmp_path, 1, begun(at_ms=5), done(at_ms=5))


def test_a_step_in_one_row_keeps_both_its_times(tmp_path: Path) -> None:
    check(tmp_path, 1, begun(at_ms=5), done(at_ms=17))


def test_a_step_that_only_began_is_one_row(tmp_path: Path) -> None:
    check(tmp_path, 1, begun())


def test_an_end_after_retries_is_one_row(tmp_path: Path) -> None:
    check(tmp_path, 1, done(attempt=3))


def test_steps_side_by_side_keep_the_order_in_which_they_began(tmp_path: Path) -> None:
    a, b = "do:1:a", "do:1:b"
    check(tmp_path, 4, begun(a), begun(b), done(a), done(b))


def test_an_end_does_not_join_the_start_of_another_step(tmp_path: Path) -> None:
    check(tmp_path, 2, begun("do:1:a"), done("do:1:b"))


def test_an_end_of_a_later_attempt_does_not_join_the_start(tmp_path: Path) -> None:
    check(tmp_path, 2, begun(), done(attempt=2))


def test_other_entries_of_the_instance_in_between_keep_their_place(tmp_path: Path) -> None:
    check(tmp_path, 3, begun(), [Entry(1, 1, K.WORKFLOW_PAUSING)], done())


def test_steps_of_other_instances_in_between_do_not_matter(tmp_path: Path) -> None:
    rows, found = stored(tmp_path, begun(), begun(instance=2), done(), done(instance=2))
    assert rows == 2
    ids = [number for number, _ in found]
    assert len(set(ids)) == len(ids) == 8


def test_a_failed_attempt_is_stored_as_it_is(tmp_path: Path) -> None:
    failed = [
        Entry(1, 1, K.ATTEMPT_FAILURE, "do:1:a", 1, AttemptFailure(ERROR)),
        Entry(1, 1, K.STEP_FAILURE, "do:1:a", data=Failure(ERROR)),
    ]
    check(tmp_path, 3, begun(), failed)


def test_an_empty_value_stays_empty(tmp_path: Path) -> None:
    nothing = [done()[0], replace(done()[1], value=b"")]
    check(tmp_path, 1, begun(), nothing)


def test_an_endless_delay_and_half_characters_are_read_back(tmp_path: Path) -> None:
    failure = AttemptFailure(ErrorInfo("Error", "half \ud83d"), 1)
    endless = AttemptFailure(ErrorInfo("Error", "é"), math.inf)  # type: ignore[arg-type]
    check(
        tmp_path,
        3,
        begun(),
        [Entry(1, 2, K.ATTEMPT_FAILURE, "do:1:a", 1, data=failure)],
        [Entry(1, 3, K.ATTEMPT_FAILURE, "do:1:a", 2, data=endless)],
    )


def test_the_step_of_a_wiped_instance_does_not_join_what_follows(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite", "NORMAL")
        journal.append(*begun(instance=2))
        journal.append(*begun())
        journal.wipe(1)
        journal.append(*done())
        journal.append(*done(instance=2))
        assert list(journal.entries(1)) == done()
        assert list(journal.entries(2)) == [*begun(instance=2), *done(instance=2)]
        journal.close()

    asyncio.run(main())


def test_striking_all_entries_of_a_step_deletes_its_row(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite", "NORMAL")
        for step in ("do:1:a", "do:1:b"):
            journal.append(*begun(step))
            journal.append(*done(step))
        struck = [number for number, entry in journal.numbered(1) if entry.step == "do:1:b"]
        journal.strike(1, struck)
        assert {entry.step for entry in journal.entries(1)} == {"do:1:a"}
        journal.close()

    asyncio.run(main())


def test_what_is_recorded_late_is_committed_by_itself_a_little_later(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite", "NORMAL")
        committed: asyncio.Future[list[Entry]] = asyncio.get_running_loop().create_future()
        journal.on_commit = committed.set_result
        journal.append(*begun(), late=True)
        await asyncio.sleep(0)
        assert not committed.done()
        async with asyncio.timeout(DEADLINE_S):
            assert await committed == begun()
        journal.close()

    asyncio.run(main())


def test_what_is_recorded_late_goes_with_the_next_commit(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite", "NORMAL")
        journal.append(*begun(), late=True)
        journal.append(*done(instance=2))
        await journal.committed()
        assert journal.query("SELECT count(*) FROM entries") == [(2,)]
        journal.close()

    asyncio.run(main())


_group = st.tuples(
    st.sampled_from([begun, done]), st.sampled_from(["do:1:a", "do:1:b"]), st.integers(1, 2)
)


@given(st.lists(_group, max_size=8))
def test_whatever_is_recorded_is_read_back_as_it_was(
    tmp_path_factory: object, calls: list[tuple[Callable[..., list[Entry]], str, int]]
) -> None:
    path = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    groups = [make(step, n, instance=instance) for n, (make, step, instance) in enumerate(calls)]
    _, found = stored(path, *groups)
    for key in (1, 2):
        expected = [entry for group in groups for entry in group if entry.instance == key]
        assert [entry for _, entry in found if entry.instance == key] == expected
    ids = [number for number, _ in found]
    assert len(set(ids)) == len(ids)

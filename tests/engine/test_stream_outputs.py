"""Steps that return byte streams: stored while they are read, given back from what is stored."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.journal import prune
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.model.step_key import StepKind
from emulator.engine.runs import streams
from emulator.engine.views.log import Log
from emulator.engine.views.report import instance_detail, step_detail
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import StepChunk
from tests.engine.scripted import Context, InvalidStream, Step, StepError, Stream
from tests.engine.world import HOUR, MINUTE, SECOND, World, play

Event = dict[str, Any]
KIB = 1024
PIECES = [bytes([n]) * (256 * KIB) for n in range(3)] + [b"the rest"]
WHOLE = b"".join(PIECES)


def stored(world: World) -> list[tuple[int, int]]:
    """The chunks on disk, each as (stream, bytes)."""
    with sqlite3.connect(world.path) as connection:
        found = connection.execute("SELECT stream, length(chunk) FROM stream_chunks ORDER BY 1")
        chunks = found.fetchall()
    connection.close()
    return chunks


def export(*results: Any) -> Callable[[Context], Any]:
    """A callback that returns, or raises, the n-th of `results` in its n-th execution."""
    left = iter(results)

    def callback(ctx: Context) -> Any:
        result = next(left)
        if isinstance(result, Exception):
            raise result
        return result

    return callback


async def broken_after(*pieces: bytes, error: Exception) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise error


async def endless_after(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    await asyncio.Event().wait()


def test_the_caller_gets_back_the_bytes_that_were_streamed(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        assert await stream.read() == WHOLE
        return "same"

    async def story(world: World) -> None:
        await world.create()
        assert world.output() == "same"
        assert len(stored(world)) == len(PIECES)

    play(tmp_path, workflow, story)


def test_a_replay_after_a_crash_reads_the_same_bytes_and_executes_nothing(tmp_path: Path) -> None:
    read: list[bytes] = []

    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        read.append(await stream.read())
        await step.sleep("pause", "1 hour")
        read.append(await stream.read())

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert world.status() == "complete"
        assert len(read) >= 3  # live, in the replay of new code, and after the sleep
        assert set(read) == {WHOLE}
        assert world.attempts("export-1") == [1]

    play(tmp_path, workflow, story)


def test_an_empty_stream_is_a_valid_result(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream([]))
        await step.sleep("pause", "1 hour")
        return len(await stream.read())

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)
        assert world.output() == 0

    play(tmp_path, workflow, story)


def test_an_attempt_whose_stream_fails_leaves_nothing_and_is_retried(tmp_path: Path) -> None:
    results = Stream(broken_after(*PIECES, error=StepError("Error", "cut off"))), Stream([b"all"])
    callback = export(*results)

    async def workflow(event: Event, step: Step) -> Any:
        return str(await (await step.do("export", callback)).read())

    async def story(world: World) -> None:
        await world.create()
        assert stored(world) == []
        await world.advance(MINUTE)

        assert world.output() == "b'all'"
        assert world.attempts("export-1") == [1, 2]
        assert [size for _, size in stored(world)] == [3]

    play(tmp_path, workflow, story)


def test_reading_a_stream_is_part_of_the_attempt_and_of_its_timeout(tmp_path: Path) -> None:
    callback = export(Stream(endless_after(*PIECES)), Stream([b"all"]))
    config = {"timeout": "5 seconds", "retries": {"limit": 1, "delay": "1 second"}}

    async def workflow(event: Event, step: Step) -> Any:
        return str(await (await step.do("export", callback, config)).read())

    async def story(world: World) -> None:
        await world.create()
        assert len(stored(world)) == len(PIECES)
        await world.advance(5 * SECOND)
        assert stored(world) == []
        await world.advance(SECOND)

        assert world.output() == "b'all'"
        failures = [members_of(e) for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE]
        assert failures[0]["error"]["name"] == "WorkflowTimeoutError"

    play(tmp_path, workflow, story)


def test_a_chunk_of_an_attempt_that_has_timed_out_is_not_stored(tmp_path: Path) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await late.wait()
        yield b"second"

    late = asyncio.Event()
    config = {"timeout": "5 seconds", "retries": {"limit": 1, "delay": "1 hour"}}
    callback = export(Stream(slow()), Stream([b"all"]))

    async def workflow(event: Event, step: Step) -> Any:
        return str(await (await step.do("export", callback, config)).read())

    async def story(world: World) -> None:
        await world.create()
        await world.advance(5 * SECOND)
        late.set()
        await world.settle()

        assert stored(world) == []

    play(tmp_path, workflow, story)


def test_what_an_attempt_had_streamed_before_a_crash_is_removed(tmp_path: Path) -> None:
    callback = export(Stream(endless_after(*PIECES)), Stream([b"all"]))

    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", callback)
        await step.sleep("pause", "1 hour")
        return str(await stream.read())

    async def story(world: World) -> None:
        await world.create()
        assert len(stored(world)) == len(PIECES)
        await world.crash_and_boot()

        assert world.status() == "waiting"
        assert world.attempts("export-1") == [1, 2]
        assert [size for _, size in stored(world)] == [3]

    play(tmp_path, workflow, story)


def test_what_an_attempt_had_streamed_before_its_guest_went_is_removed(tmp_path: Path) -> None:
    callback = export(Stream(endless_after(*PIECES)), Stream([b"all"]))

    async def workflow(event: Event, step: Step) -> Any:
        return str(await (await step.do("export", callback)).read())

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        await world.settle()

        assert stored(world) == []

    play(tmp_path, workflow, story)


def test_one_failing_stream_leaves_another_in_flight_alone(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield PIECES[0]
        await go_on.wait()
        yield PIECES[1]

    config = {"retries": {"limit": 0, "delay": 1}}
    broken = export(Stream(broken_after(PIECES[2], error=StepError("Error", "cut off"))))

    async def workflow(event: Event, step: Step) -> Any:
        kept = step.do("held", lambda ctx: Stream(held()))
        with pytest.raises(StepError, match="cut off"):
            await step.do("broken", broken, config)
        go_on.set()
        return await (await kept).read() == PIECES[0] + PIECES[1]

    async def story(world: World) -> None:
        await world.create()
        assert world.output() is True
        assert len(stored(world)) == 2

    play(tmp_path, workflow, story)


def test_a_stream_that_cannot_be_kept_ends_the_instance(tmp_path: Path) -> None:
    async def invalid() -> AsyncIterator[bytes]:
        yield PIECES[0]
        raise InvalidStream("Only bytes.")

    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(invalid()))

    async def story(world: World) -> None:
        await world.create()
        assert world.error() == (
            "WorkflowFatalError",
            "The execution of the Workflow instance was terminated, as the step"
            ' "export" returned an invalid ReadableStream output. Only bytes.',
        )
        assert stored(world) == []

    play(tmp_path, workflow, story)


def test_streams_of_more_than_the_storage_of_an_instance_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STORAGE_MAX_BYTES", 2 * len(WHOLE))

    async def workflow(event: Event, step: Step) -> Any:
        for _ in range(3):
            await step.do("export", lambda ctx: Stream(PIECES))

    async def story(world: World) -> None:
        await world.create()
        assert world.error() == (
            "WorkflowFatalError",
            "The instance has exceeded the 1GiB storage limit",
        )
        assert sum(size for _, size in stored(world)) == 2 * len(WHOLE)

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("size", [0, 256 * KIB + 1])
def test_a_guest_that_cuts_its_chunks_wrongly_breaks_the_protocol(
    tmp_path: Path, size: int
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(endless_after()))

    async def story(world: World) -> None:
        await world.create()
        with pytest.raises(ProtocolError, match="step_chunk"):
            world.engine.hear(world.guest, StepChunk(1, 1, 1, bytes(size)))

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "DELETE FROM stream_chunks WHERE position = 1",
            "Stored streamed step output is corrupt or incomplete for cache key export-1. Expected"
            " 4 chunks / 786440 bytes, found 3 chunks / 524296 bytes with chunk index range 0..3.",
        ),
        (
            "DELETE FROM stream_chunks",
            "Stored streamed step output is corrupt or incomplete for cache key export-1. Expected"
            " 4 chunks / 786440 bytes, found 0 chunks / 0 bytes with chunk index range null..null.",
        ),
    ],
)
def test_a_stored_stream_that_is_damaged_is_told_in_productions_words(
    tmp_path: Path, statement: str, problem: str
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        await step.sleep("pause", "1 hour")
        await stream.read()

    async def story(world: World) -> None:
        await world.create()
        with sqlite3.connect(world.path) as connection:
            connection.execute(statement)
        connection.close()
        await world.advance(HOUR)

        assert world.error() == ("Error", problem)

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("number", [-1, 99, 2**70])
def test_a_read_of_what_is_not_there_is_answered_with_an_error(tmp_path: Path, number: int) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        await stream.guest.read(stream, number)

    async def story(world: World) -> None:
        await world.create()
        name, message = world.error()
        assert name == "Error"
        assert "Missing chunk" in message or "not read" in message

    play(tmp_path, workflow, story)


def exporting(*pieces: bytes) -> Any:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(pieces))
        await step.do("copy", lambda ctx: Stream(pieces))

    return workflow


def test_a_restart_and_a_deletion_take_the_chunks_along(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        before = stored(world)
        await world.restart()
        assert len(stored(world)) == 2
        assert not set(before) & set(stored(world))

        await world.delete()
        assert stored(world) == []

    play(tmp_path, exporting(b"some"), story)


def test_a_restart_from_a_step_keeps_the_streams_before_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        first, second = stored(world)
        await world.restart(start=RestartPoint("copy"))

        assert first in stored(world)
        assert second not in stored(world)
        assert len(stored(world)) == 2

    play(tmp_path, exporting(b"some"), story)


def test_terminating_removes_what_was_streamed_so_far(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(PIECES))
        await step.do("more", lambda ctx: Stream(endless_after(*PIECES)))

    async def story(world: World) -> None:
        await world.create()
        await world.terminate()
        assert len(stored(world)) == len(PIECES)

    play(tmp_path, workflow, story)


def test_a_stream_that_nobody_awaited_is_removed_at_the_end(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        step.do("forgotten", lambda ctx: Stream(endless_after(*PIECES)))
        await step.wait_for_event("enough", "enough")

    async def story(world: World) -> None:
        await world.create()
        assert len(stored(world)) == len(PIECES)
        await world.send("enough")

        assert world.status() == "complete"
        assert stored(world) == []

    play(tmp_path, workflow, story)


def test_sizes_count_the_chunks(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        sizes = prune.measure(world.path)

        assert 2 * len(WHOLE) < sizes.largest[0].history_bytes < 2 * len(WHOLE) + 20_000
        assert sizes.workflows[0].history_bytes == sizes.largest[0].history_bytes

    play(tmp_path, exporting(*PIECES), story)


def test_a_rollback_handler_gets_the_stored_stream(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def undo(undo: Any) -> None:
        seen.append(await undo.output.read())

    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(PIECES), rollback=undo)
        raise StepError("Error", "no")

    async def story(world: World) -> None:
        await world.create()
        assert seen == [WHOLE]

    play(tmp_path, workflow, story)


def test_a_guarded_run_reads_what_was_stored(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        size = len(await stream.read())
        await step.sleep("pause", "1 hour")
        return size

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(HOUR)
        assert world.output() == len(WHOLE)

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        ([b"id,name\n", "1,Zoë\n".encode()], "id,name\n1,Zoë\n"),
        ([b"x" * 2000], "x" * 1024 + "[truncated output]"),
        (["é".encode() * 4000], "é" * 1024 + "[truncated output]"),
        ([b"\xff\xfe", b"\x00"], "[ReadableStream (binary): 3 bytes]"),
        ([], ""),
    ],
)
def test_reports_and_logs_show_the_beginning_of_text_and_the_size_of_anything_else(
    tmp_path: Path, pieces: list[bytes], shown: str
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("export", lambda ctx: Stream(pieces))

    async def story(world: World) -> None:
        await world.create()
        detail = instance_detail(world.entries(), world.stands(), "")
        assert detail["steps"][0]["output"] == shown
        log = Log()
        events = [log.event(n, entry) for n, entry in enumerate(world.entries())]
        told = [e.as_json("a") for e in events if e and e.type == "step_completed"]
        assert told[0]["output"] == shown

    play(tmp_path, workflow, story)


def test_the_output_of_a_sensitive_step_is_redacted(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream([b"key"]), {"sensitive": "output"})
        return str(await stream.read())

    async def story(world: World) -> None:
        await world.create()
        told = step_detail(world.entries(), world.stands(), "export-1", StepKind.DO)

        assert world.output() == "b'key'"
        assert told is not None and told["output"] == "[REDACTED]"

    play(tmp_path, workflow, story)


def test_the_number_of_a_stream_is_not_given_twice(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        taken = {stream for stream, _ in stored(world)}
        await world.crash_and_boot()
        await world.create("b")

        assert len(stored(world)) == 4
        assert taken < {stream for stream, _ in stored(world)}

    play(tmp_path, exporting(b"some"), story)


def test_a_journal_of_the_second_version_gets_the_table(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"some"

    async def story(world: World) -> None:
        world.crash()
        with sqlite3.connect(world.path) as connection:
            connection.execute("DROP TABLE stream_chunks")
            connection.execute("PRAGMA user_version = 2")
        connection.close()
        world.boot()
        await world.create()

        assert world.status() == "complete"
        assert len(stored(world)) == 2

    play(tmp_path, exporting(*pieces()), story)


def test_the_streams_of_a_journal_that_an_older_version_wrote_are_read(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        stream = await step.do("export", lambda ctx: Stream(PIECES))
        await step.sleep("pause", "1 hour")
        return await stream.read() == WHOLE

    async def story(world: World) -> None:
        await world.create()
        world.crash()
        with sqlite3.connect(world.path) as connection:
            changed = connection.execute(
                "UPDATE entries SET value = CAST(replace(CAST(value AS TEXT), '$stored', '$stream')"
                " AS BLOB) WHERE instr(CAST(value AS TEXT), '$stored')"
            )
            assert changed.rowcount == 1
        connection.close()
        world.boot()
        await world.advance(HOUR)

        assert world.output() is True
        assert world.attempts("export-1") == [1]
        assert len(stored(world)) == len(PIECES)

    play(tmp_path, workflow, story)

"""Transcripts of steps that return byte streams: what the guest sends, and what user code gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingResult
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    OUTPUT_CHUNK_BYTES,
    OUTPUT_WINDOW_CHUNKS,
    History,
    RunEnd,
    StepBegin,
    StepChunk,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
    StepTaken,
    StreamPiece,
    StreamRead,
)
from emulator.protocol.values import StreamValue
from tests.guest.conversation import Conversation, play, workflow

IMPORT = "from js import ReadableStream\nSIZE = 256 * 1024\n"
STORED = StreamValue(7, 2, 6, "abcdef")
PROMPT = {"ASK": {"kind": "ai"}}


def export(folder: Path, source: str, rest: str = "return await export()") -> None:
    """Write a workflow whose step `export` returns `source`; `pieces()` may be defined in it."""
    lines = source.strip("\n").splitlines()
    body = "\n".join(["@step.do()", "async def export():", *(f"    {line}" for line in lines)])
    workflow(folder, f"{body}\n{rest}", IMPORT)


async def begun(it: Conversation) -> Message:
    """Start a run and order the step; return what the guest says next."""
    begin = await it.start()
    assert isinstance(begin, StepBegin), begin
    return await it.ask(StepRun(1, begin.call, 1, {}))


def data(message: Message) -> bytes:
    """Assert that `message` is a chunk of attempt 1; return it."""
    assert isinstance(message, StepChunk), message
    assert (message.run, message.call, message.attempt) == (1, 1, 1)
    return message.payload


def returned(message: Message) -> Any:
    assert isinstance(message, RunEnd) and message.name == "", message
    return values.decode(message.payload)


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("return Response('hello').body", b"hello"),
        ("return ReadableStream([b'ab', bytearray(b'cd'), memoryview(b'ef')])", b"abcdef"),
        ("async def pieces():\n    yield b'a'\n    yield b''\n    yield b'b'\n"
         "return ReadableStream(pieces())", b"ab"),
        ("return ReadableStream(ReadableStream([memoryview(b'abcd').cast('H')]))", b"abcd"),
    ],
)  # fmt: skip
def test_a_stream_is_sent_while_the_attempt_runs(tmp_path: Path, source: str, sent: bytes) -> None:
    export(tmp_path, source)

    async def scenario(it: Conversation) -> None:
        assert data(await begun(it)) == sent
        assert await it.hear() == StepEnd(1, 1, 1, stream=True)

    play(tmp_path, scenario)


def test_an_empty_stream_is_only_an_end(tmp_path: Path) -> None:
    export(tmp_path, "return Response('').body", "return len(await (await export()).to_bytes())")

    async def scenario(it: Conversation) -> None:
        assert await begun(it) == StepEnd(1, 1, 1, stream=True)
        empty = values.encode(StreamValue(7, 0, 0, ""))
        assert returned(await it.ask(StepDone(1, 1, empty))) == 0

    play(tmp_path, scenario)


def test_a_stream_is_cut_anew_and_waits_for_the_host(tmp_path: Path) -> None:
    export(tmp_path, "return ReadableStream([bytes(SIZE * 5), bytes(10)])")

    async def scenario(it: Conversation) -> None:
        chunks = [data(await begun(it))]
        chunks += [data(await it.hear()) for _ in range(OUTPUT_WINDOW_CHUNKS - 1)]
        assert {len(chunk) for chunk in chunks} == {OUTPUT_CHUNK_BYTES}
        await it.nothing_left()

        assert len(data(await it.ask(StepTaken(1, 1, 1)))) == OUTPUT_CHUNK_BYTES
        assert len(data(await it.ask(StepTaken(1, 1, 1)))) == 10
        assert await it.hear() == StepEnd(1, 1, 1, stream=True)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("source", "name", "detail"),
    [
        (
            "stream = ReadableStream([b'a'])\nstream.getReader()\nreturn stream",
            "InvalidStepReadableStreamError",
            "Step returned a ReadableStream that is already locked or otherwise unreadable. "
            "Return a fresh, unlocked ReadableStream from step.do().",
        ),
        (
            "return ReadableStream(['text'])",
            "UnsupportedStreamChunkError",
            "Step returned a ReadableStream with unsupported chunk type. Only ArrayBuffer and "
            "TypedArray chunks are supported. (It is <class 'str'>; expected bytes.)",
        ),
        (
            "return ReadableStream([bytes(16 * 1024 * 1024 + 1)])",
            "OversizedStreamChunkError",
            "Step returned a ReadableStream chunk larger than the maximum allowed size of "
            "16777216 bytes. Return smaller chunks from step.do().",
        ),
    ],
)
def test_a_stream_that_cannot_be_kept_is_fatal(
    tmp_path: Path, source: str, name: str, detail: str
) -> None:
    export(tmp_path, source)

    async def scenario(it: Conversation) -> None:
        end = await begun(it)
        assert end == StepEnd(1, 1, 1, name, detail, fatal=True, stream=True)

    play(tmp_path, scenario)


def test_a_source_that_raises_fails_the_attempt_with_its_error(tmp_path: Path) -> None:
    export(
        tmp_path,
        "def pieces():\n    yield bytes(SIZE)\n    raise KeyError('gone')\n"
        "return ReadableStream(pieces())",
    )

    async def scenario(it: Conversation) -> None:
        assert len(data(await begun(it))) == OUTPUT_CHUNK_BYTES
        end = await it.hear()
        assert isinstance(end, StepEnd)
        assert (end.name, end.message, end.fatal, end.stream) == (
            "KeyError",
            "'gone'",
            False,
            False,
        )

    play(tmp_path, scenario)


WAITING = """
async def pieces():
    try:
        yield bytes(SIZE)
        await self.env.ASK.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": "next"})
        yield b"late"
    finally:
        self.env.ASK.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": "closed"})
return ReadableStream(pieces())
"""


@pytest.mark.parametrize(
    "cut_off", [StepTaken(1, 1, 1, over=True), StepFailed(1, 1, "Error", "timed out")]
)
def test_the_source_of_an_attempt_that_is_over_is_closed(tmp_path: Path, cut_off: Message) -> None:
    rest = "try:\n    await export()\nexcept Exception as error:\n    return str(error)"
    export(tmp_path, WAITING, rest)

    async def scenario(it: Conversation) -> None:
        data(await begun(it))
        asked = await it.hear()
        assert isinstance(asked, BindingCall) and b"next" in asked.payload
        heard = [await it.ask(cut_off)]
        if isinstance(cut_off, StepFailed):
            heard.append(await it.hear())
            assert [returned(m) for m in heard if isinstance(m, RunEnd)] == ["Error: timed out"]
        assert [m for m in heard if isinstance(m, BindingCall) and b"closed" in m.payload]

    play(tmp_path, scenario, bindings=PROMPT)


def test_the_next_attempt_streams_from_the_start(tmp_path: Path) -> None:
    export(tmp_path, WAITING)

    async def scenario(it: Conversation) -> None:
        data(await begun(it))
        await it.hear()
        closed = await it.ask(StepRun(1, 1, 2, {}))
        heard = [closed, await it.hear(), await it.hear()]
        chunks = [m for m in heard if isinstance(m, StepChunk)]
        assert [(m.attempt, len(m.payload)) for m in chunks] == [(2, OUTPUT_CHUNK_BYTES)]
        (asked,) = (m for m in heard if isinstance(m, BindingCall) and b"next" in m.payload)
        await it.tell(BindingResult(asked.id, payload=values.encode("")))
        rest = [await it.hear() for _ in range(3)]
        assert StepChunk(1, 1, 2, b"late") in rest
        assert StepEnd(1, 1, 2, stream=True) in rest

    play(tmp_path, scenario, bindings=PROMPT)


READ = """
first = await (await export()).to_bytes()
return first.decode()
"""


async def serve_reads(it: Conversation, message: Message, times: int) -> Message:
    """Answer the reads of the stored stream, so many times over; return what comes then."""
    for _ in range(times):
        for position, piece in enumerate((b"abc", b"def")):
            assert isinstance(message, StreamRead), message
            assert (message.run, message.stream, message.position) == (1, 7, position)
            assert (message.chunks, message.bytes, message.step) == (2, 6, "export-1")
            message = await it.ask(StreamPiece(1, message.read, payload=piece))
    return message


def test_the_caller_reads_what_is_stored(tmp_path: Path) -> None:
    export(tmp_path, "return ReadableStream([b'abcdef'])", READ)

    async def scenario(it: Conversation) -> None:
        data(await begun(it))
        await it.hear()
        read = await it.ask(StepDone(1, 1, values.encode(STORED)))
        assert returned(await serve_reads(it, read, 1)) == "abcdef"

    play(tmp_path, scenario)


def test_a_replay_reads_what_is_stored(tmp_path: Path) -> None:
    export(tmp_path, "return 1", READ)

    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, values.encode([["do", "export", 1, "ok", STORED]])))
        assert returned(await serve_reads(it, await it.start(), 1)) == "abcdef"

    play(tmp_path, scenario)


DEPENDENTS = """
@step.do()
async def export():
    return ReadableStream([b"x"])
@step.do()
async def one(export):
    return (await export.to_bytes()).decode()
@step.do()
async def two(export):
    return (await export.to_bytes()).decode()
return [await one(), await two()]
"""


def test_each_dependent_of_a_step_gets_a_stream_of_its_own(tmp_path: Path) -> None:
    workflow(tmp_path, DEPENDENTS, IMPORT)

    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, values.encode([["do", "export", 1, "ok", STORED]])))
        begin = await it.start()
        for call in (1, 2):
            assert isinstance(begin, StepBegin), begin
            end = await serve_reads(it, await it.ask(StepRun(1, call, 1, {})), 1)
            assert end == StepEnd(1, call, 1, payload=b'"abcdef"')
            begin = await it.ask(StepDone(1, call))
        assert returned(begin) == ["abcdef", "abcdef"]

    play(tmp_path, scenario)


def test_a_stored_stream_that_is_damaged_raises_where_it_is_read(tmp_path: Path) -> None:
    export(
        tmp_path,
        "return 1",
        "try:\n    await (await export()).to_bytes()\nexcept Exception as error:\n"
        "    return str(error)",
    )

    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, values.encode([["do", "export", 1, "ok", STORED]])))
        read = await it.start()
        assert isinstance(read, StreamRead)
        assert "corrupt" in returned(await it.ask(StreamPiece(1, read.read, "it is corrupt")))

    play(tmp_path, scenario)


def test_reading_a_stored_stream_is_not_rest(tmp_path: Path) -> None:
    export(
        tmp_path,
        "return 1",
        "async def passed_on(stream):\n    async for chunk in stream:\n        yield chunk\n"
        "async for chunk in passed_on(await export()):\n    pass\n"
        "await step.sleep('s', 1)",
    )

    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, values.encode([["do", "export", 1, "ok", STORED]])))
        through = await it.start(guarded=True)
        assert getattr(through, "state", "") == "through"
        read = await it.hear()
        for _ in range(30):  # it looks at itself every few milliseconds
            await it.nothing_left()
        begin = await serve_reads(it, read, 1)
        assert isinstance(begin, StepBegin) and begin.name == "s"
        rested = await it.hear()
        assert getattr(rested, "state", "") == "rested"

    play(tmp_path, scenario)

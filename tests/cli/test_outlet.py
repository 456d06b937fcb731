from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from io import TextIOWrapper

import pytest

from emulator.cli.outlet import Outlet
from tests.waiting import DEADLINE_S

Pipe = tuple[TextIOWrapper, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield stream, reading
        os.close(reading)  # ends a write that waits, before another file gets its descriptor
        for thread in threading.enumerate():
            if thread.name == "output":
                thread.join(DEADLINE_S)


def all_of(pipe: Pipe) -> str:
    stream, reading = pipe
    with os.fdopen(os.dup(reading), "rb") as reader:
        os.close(stream.fileno())
        text = reader.read().decode()
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return text


def test_lines_are_written_in_order_before_it_closes(pipe: Pipe) -> None:
    outlet = Outlet()
    outlet.write(pipe[0], ["a", "b"])
    outlet.write(pipe[0], ["c"])
    outlet.close()

    assert all_of(pipe) == "a\nb\nc\n"


def test_what_goes_beyond_the_limit_is_counted_and_told(pipe: Pipe) -> None:
    outlet = Outlet(kept_max_bytes=300_000)
    for number in range(4):
        outlet.write(pipe[0], [f"{number}" * 100_000])  # a pipe holds 65,536 bytes
    outlet.write(pipe[0], ["a", "b"])
    with os.fdopen(os.dup(pipe[1]), "rb") as reader:
        read = [reader.readline()[:1] for _ in range(2)]
        while len(read) < 4:
            outlet.write(pipe[0], ["late"])
            read.append(reader.readline()[:1])
            if read[-1] == "…".encode()[:1]:
                break
    outlet.close()

    assert read[:2] == [b"0", b"1"]
    assert "…".encode()[:1] in read


def test_lines_that_were_left_out_last_are_told_once_the_others_are_read(pipe: Pipe) -> None:
    outlet = Outlet(kept_max_bytes=300_000)
    for number in range(5):
        outlet.write(pipe[0], [f"{number}" * 100_000])
    with os.fdopen(os.dup(pipe[1]), "rb") as reader:
        read = [reader.readline() for _ in range(3)]  # nothing more is written meanwhile
    outlet.close()

    assert [line[:1] for line in read[:2]] == [b"0", b"1"]
    assert read[2].decode() == "… 3 lines left out: nobody read them in time\n"


def test_one_line_may_be_larger_than_the_limit(pipe: Pipe) -> None:
    outlet = Outlet(kept_max_bytes=10)
    outlet.write(pipe[0], ["x" * 1_000])
    outlet.close()

    assert all_of(pipe) == "x" * 1_000 + "\n"


def test_a_character_that_the_stream_cannot_say_is_spelled_out(pipe: Pipe) -> None:
    outlet = Outlet()
    pipe[0].reconfigure(encoding="ascii")
    outlet.write(pipe[0], ["é\ud800"])
    outlet.close()

    assert all_of(pipe) == "\\xe9\\ud800\n"


def test_a_reader_that_has_left_ends_nothing(pipe: Pipe) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outlet = Outlet()
    with os.fdopen(writing, "w") as gone:
        outlet.write(gone, ["nobody"])
        outlet.write(pipe[0], ["somebody"])
        outlet.close()

    assert all_of(pipe) == "somebody\n"


def test_closing_does_not_wait_for_a_reader_for_ever(pipe: Pipe) -> None:
    outlet = Outlet()
    outlet.write(pipe[0], ["x" * 1_000_000])

    outlet.close(wait_s=0.05)

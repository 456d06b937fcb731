"""What is shown at which level, and how a line looks."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from emulator.cli.json_log import JsonTerminal
from emulator.cli.levels import Level
from emulator.cli.long_attempts import RunningAttempts
from emulator.cli.names import InstanceName, shown_label
from emulator.cli.terminal import ConsoleTerminal
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.runner.output import OutputLine
from tests.waiting import DEADLINE_S

DONE = Entry(1, 0, EntryKind.STEP_SUCCESS, "do:1:charge")
UUID = "4f0c61f2-7a55-4a8f-9a3b-0d8c3fd7195f"


def shown(terminal: ConsoleTerminal | JsonTerminal, capfd: pytest.CaptureFixture[str]) -> set[str]:
    """Tell a terminal of everything; return which of it is shown."""
    terminal.error("an error")
    terminal.warning("a warning")
    terminal.output(OutputLine(1, "stderr", "to stderr"))
    terminal.output(OutputLine(1, "stdout", "to stdout"))
    terminal.request("GET", "/request", 200, 1)
    terminal.progress(InstanceName.of("flow", "one"), "a step done", DONE)
    terminal.request("GET", "/own", 200, 1, own=True)
    terminal.close()
    said = "".join(capfd.readouterr())
    things = ("error", "warning", "to stderr", "to stdout", "/request", "step", "/own")
    return {thing for thing in things if f"{thing}" in said.replace("error: ", "")}


@pytest.mark.parametrize("make", [ConsoleTerminal, JsonTerminal])
def test_each_level_shows_more_than_the_one_before(
    make: type[ConsoleTerminal | JsonTerminal], capfd: pytest.CaptureFixture[str]
) -> None:
    added, before = [], set[str]()
    for level in Level:
        now = shown(make(level, Path()), capfd)
        assert now >= before
        added.append(now - before)
        before = now

    assert added == [
        set(),
        {"error"},
        {"warning", "to stderr"},
        {"to stdout"},
        {"/request", "step"},
        {"/own"},
    ]


MIXED = """
import asyncio, sys
from pathlib import Path
from emulator.cli.levels import Level
from emulator.cli.terminal import ConsoleTerminal

async def tell():
    terminal = ConsoleTerminal(Level.INFO, Path(), timed=False)
    terminal.notice("first")
    terminal.warning("second")
    terminal.notice("third")
    terminal.error("fourth")
    terminal.close()

asyncio.run(tell())
"""


def test_lines_of_one_moment_keep_their_order_where_both_streams_are_one() -> None:
    command = [sys.executable, "-c", MIXED]

    told = subprocess.check_output(command, stderr=subprocess.STDOUT, text=True)

    assert told.splitlines() == ["first", "warning: second", "third", "error: fourth"]


@pytest.mark.parametrize("timed", [True, False])
def test_a_line_begins_with_its_time_unless_that_is_switched_off(
    timed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal = ConsoleTerminal(Level.INFO, Path(), timed=timed)
    terminal.progress(InstanceName.of("orders", UUID), "charge done (1 ms)", DONE, 1)
    terminal.close()

    time = r"\d\d:\d\d:\d\d\.\d\d\d " if timed else ""
    assert re.fullmatch(
        rf"{time}workflow orders 4f0c61f2: charge done \(1 ms\)\n", capfd.readouterr().out
    )


@pytest.mark.parametrize(
    ("label", "text"),
    [("", "worker"), ("GET /", "GET /"), (f"orders\t{UUID}", "orders 4f0c61f2"), ("\x1b", "\\x1b")],
)
def test_a_line_of_the_worker_is_labelled_with_whom_it_was_printed_for(
    label: str, text: str
) -> None:
    assert shown_label(label) == text


def test_an_attempt_is_announced_once_if_it_takes_long_and_never_if_it_is_quick() -> None:
    long, quick, later = (Entry(1, 0, EntryKind.ATTEMPT_START, f"do:1:{n}", 1) for n in "abc")

    async def main() -> None:
        told: asyncio.Queue[Entry] = asyncio.Queue()
        running = RunningAttempts(told.put_nowait, look_every_s=0.01)
        running.began(long)
        running.began(quick)
        assert running.ended(replace(quick, at_ms=7)) == 7
        assert await asyncio.wait_for(told.get(), DEADLINE_S) is long
        running.began(later)  # several looks pass until it is announced
        assert await asyncio.wait_for(told.get(), DEADLINE_S) is later
        assert told.empty()
        running.forget(1)

    asyncio.run(main())


def test_times_are_those_of_the_zone_at_the_start_after_a_database_was_opened(
    tmp_path: Path,
) -> None:
    code = f"""
import datetime, sys, zoneinfo
from pathlib import Path
from bindings.sql.opening import open_whole
from emulator.cli.levels import Level
from emulator.cli.terminal import ConsoleTerminal
terminal = ConsoleTerminal(Level.INFO, Path())
terminal.notice("before")
open_whole(Path({str(tmp_path / "db.sqlite")!r})).close()
terminal.notice("after")
terminal.close()
print(datetime.datetime.now(zoneinfo.ZoneInfo("America/New_York")).strftime("%H"))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, hour = ran.stdout.splitlines()
    assert {before[:2], after[:2]} == {hour} and after.endswith("after")

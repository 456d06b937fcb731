"""What --wait shows of an instance in progress."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.cli.cells import columns
from emulator.cli.workflows.drawing.progress import LiveProgress, PlainProgress
from tests.cli.workflows.test_timeline import BOOM, attempt, detail, do, sleep

TRYING = do("charge-1", attempt(0, 100, BOOM), success=None)
AGAIN = do("charge-1", attempt(0, 100, BOOM), attempt(200, 300, BOOM), success=None)
DONE = do("charge-1", attempt(0, 100, BOOM), attempt(200, 300, BOOM), attempt(400, 500))


def show(progress: LiveProgress | PlainProgress, *told: Any) -> None:
    for moment in told:
        progress.update(moment, 10_000)


def test_each_step_has_a_line_when_it_waits_and_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    napping = detail(DONE, sleep("nap-1", 500), status="waiting")
    ended = detail(DONE, sleep("nap-1", 500, 900), status="complete", end="1970-01-01T00:00:01Z")
    show(PlainProgress("flow", "i"), detail(DONE), napping, napping, ended, ended)

    text = capsys.readouterr().err
    assert text.count("✓ charge") == 1 and text.count("◷ nap") == 1 and text.count("✓ nap") == 1
    assert text.endswith("flow / i  ✓ complete in 1.00 s\n")


def test_each_attempt_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    show(PlainProgress("flow", "i"), detail(TRYING), detail(AGAIN), detail(AGAIN), detail(DONE))

    text = capsys.readouterr().err
    assert [text.count(sign) for sign in ("✗ 1", "✗ 2", "✓ 3")] == [1, 1, 1]


def test_an_error_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"name": "E", "message": "\x1b[31mred"}
    failed = detail(status="errored", end="1970-01-01T00:00:01Z", error=error)
    show(PlainProgress("flow", "i"), failed)

    assert "E: \\x1b[31mred" in capsys.readouterr().err


def test_a_picture_replaces_the_one_before_it_and_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")
    steps = [sleep(f"nap-{n}", n) for n in range(1, 31)]
    show(LiveProgress("flow", "i" * 80), detail(steps[0]), detail(*steps))

    first, second = capsys.readouterr().err.split("\x1b[J")[1:]
    lines = second.splitlines()
    assert first.endswith("\x1b[4A\r")  # a title of two lines, one of which needs two; a step
    assert "lines before" in lines[1] and "nap #30" in lines[-1]
    assert len(lines) == 10 and all(columns(line) < 60 for line in lines[1:])

"""A moment of every fuzzer; `python -m tests.fuzz` runs them for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.core import Session, Target
from tests.fuzz.targets import TARGETS

SECONDS = 1.0
SEED = 9


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_input_breaks_a_promise(tmp_path: Path, target: type[Target]) -> None:
    opened = target(tmp_path)
    try:
        session = Session(opened, SEED)
        session.run(SECONDS)
    finally:
        opened.close()

    assert session.inputs > 0
    again = f"again: python -m tests.fuzz {target.name} --file"
    assert not session.findings, "\n".join(
        f"{finding.text}\n{again} {finding.path}" for finding in session.findings
    )


class Sorting(Target):
    """Breaks for every input with an x and a y."""

    name = "sorting"
    about = "for the test of the core"

    def make(self, random: object) -> bytes:
        return b"many\nlines\nwith x\nand other\nwith y\nin them\n"

    def check(self, data: bytes) -> None:
        if b"x" in data and b"y" in data:
            raise ValueError("both")


def test_a_failing_input_is_made_smaller_and_kept_once(tmp_path: Path) -> None:
    session = Session(Sorting(tmp_path), SEED)

    session.run(0.1)

    (finding,) = session.findings
    assert sorted(finding.path.read_bytes()) == sorted(b"xy")
    assert "ValueError: both" in finding.text
    finding.path.unlink()


def test_an_input_that_takes_too_long_is_a_finding(tmp_path: Path) -> None:
    class Endless(Sorting):
        limit_s = 0.05

        def check(self, data: bytes) -> None:
            while data:
                pass

    session = Session(Endless(tmp_path), SEED)

    session.run(0.01)

    (finding,) = session.findings
    assert "TooSlow" in finding.text
    finding.path.unlink()

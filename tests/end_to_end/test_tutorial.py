"""docs/tutorial.md, as a reader carries it out: every command, file and output."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.pages import Reader, blocks, is_shown
from tests.end_to_end.test_sample import free_port

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_the_tutorial_tells_the_truth(tmp_path: Path) -> None:
    with closing(Reader(tmp_path, free_port())) as reader:
        for block in blocks(TUTORIAL):
            reader.carry_out(block)


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("done (9 ms)", "done (1.20 s)", True),
        ("21:40:03.349 created", "09:00:00.000 created", True),
        ("at 2026-12-01 21:40:03", "at 2027-01-02 03:04:05", True),
        ("[…]", "[anything]", True),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\nz", "a\nb\nz", False),
        ("a …", "b c", False),
        ("pack ┄┄┄  asleep, 23h 59m left", "pack ┄┄  asleep, 4m 8s left", True),
        ("2 passed in 0.61s", "2 passed in 1.02s", True),
        ("2 passed", "3 passed", False),
        ("complete", "errored", False),
    ],
)
def test_only_times_may_differ_from_what_a_page_shows(shown: str, printed: str, fits: bool) -> None:
    assert is_shown(shown, printed) is fits

from __future__ import annotations

import pytest

from emulator.words import counted


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 vectors are in"), (1, "1 vector is in"), (1234, "1,234 vectors are in")],
)
def test_what_is_counted_agrees_with_its_number(count: int, expected: str) -> None:
    assert f"{counted(count, 'vector is', 'vectors are')} in" == expected


def test_a_plain_plural_need_not_be_spelled_out() -> None:
    assert (counted(1, "step"), counted(2, "step")) == ("1 step", "2 steps")

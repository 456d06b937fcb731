"""How text is measured, shortened and wrapped to the columns of a terminal."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emulator.cli.cells import columns, pad, printable, shorten, wrap


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("你好", 4), ("e\u0301", 1), ("✓", 1)]
)
def test_width_is_counted_in_columns(text: str, width: int) -> None:
    assert columns(text) == width


def test_nothing_printed_can_drive_the_terminal() -> None:
    assert printable("a\nb\x1b[2J\x9b1m\u202e") == "a\\nb\\x1b[2J\\x9b1m\\u202e"


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert shorten("你好世界", 6) == "你好…"
    assert pad("你好世界", 6) == "你好… "


@given(st.text(), st.integers(2, 30))
@example("00\xa0", 2)
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    text = printable(text)
    lines = wrap(text, width)

    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.text(), st.integers(0, 30))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert columns(shorten(text, width)) <= width
    assert columns(pad(text, width)) == width

"""What a guest prints says on whose behalf, line by line."""

from __future__ import annotations

import io
from contextvars import copy_context
from typing import Any, cast

import pytest

from emulator.guest.python import scope
from emulator.guest.python.labelled import LabelledStream


class OnBehalf:
    """A scope with a label."""

    def __init__(self, label: str) -> None:
        self.label = label


def printed(*pieces: tuple[str, str]) -> str:
    """What is written when code with these labels prints these texts, one after another."""
    raw = io.BytesIO()
    stream = LabelledStream(raw, "utf-8", "backslashreplace", newline="\n", line_buffering=True)
    for label, text in pieces:
        context = copy_context()
        context.run(scope.enter, cast(Any, OnBehalf(label)) if label else None)
        assert context.run(stream.write, text) == len(text)
    stream.flush()
    return raw.getvalue().decode()


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ([("", "at import\n")], "at import\n"),
        ([("GET /", "a\nb\n")], "\x1eGET /\x1fa\n\x1eGET /\x1fb\n"),
        ([("GET /", "a"), ("GET /", " "), ("GET /", "b\n")], "\x1eGET /\x1fa b\n"),
        ([("GET /", "\n"), ("flow\tone", "x")], "\x1eGET /\x1f\n\x1eflow\tone\x1fx"),
        ([("flow\t\x1f\n", "x\n")], "\x1eflow\\t\\x1f\\n\x1fx\n"),
    ],
)
def test_each_line_of_a_request_or_run_begins_with_its_label(
    pieces: list[tuple[str, str]], found: str
) -> None:
    assert printed(*pieces) == found

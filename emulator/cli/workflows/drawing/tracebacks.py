"""The recorded tracebacks of an instance, for a person. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from emulator.answers.workflows import InstanceDetail
from emulator.cli.cells import printable
from emulator.cli.ink import Colour, Ink

_FRAME = re.compile(r'^  File "(.+)", line (\d+)(?:, in (.+))?\n(?:    (.+)\n)?', re.MULTILINE)


def raised_at(traceback: str) -> str:
    """Return where the error of a traceback was raised, or "" if it does not say so.

    `"raised at src/entry.py:31, in charge: raise ValueError(order)"`. The place is that of the
    innermost frame, below the current folder if it is there.
    """
    frames = _FRAME.findall(traceback)
    if not frames:
        return ""
    file, line, function, code = frames[-1]
    shown = f"raised at {_short(file)}:{line}"
    if function and function != "<module>":
        shown += f", in {function}"
    return f"{shown}: {code}" if code else shown


def traceback_lines(detail: InstanceDetail, ink: Ink) -> Iterator[str]:
    """Yield a section with the whole traceback of the failure that counts, if there is one.

    That is the error of the instance, or the last failed attempt of a step that is tried again.
    """
    text, title = detail.get("traceback", ""), "Traceback"
    if not text and not detail["end"]:
        for step in detail["steps"]:
            attempts = step.get("attempts", [])
            if step.get("end") is None and attempts and attempts[-1].get("traceback"):
                text = attempts[-1]["traceback"]
                title = f"Traceback of {printable(step['name'])}, attempt {len(attempts)}"
    if not text:
        return
    yield ""
    yield ink(Colour.BOLD, title)
    yield ""
    for line in text.rstrip().splitlines():
        yield "  " + printable(line)


def _short(file: str) -> str:
    below = os.path.relpath(file)
    return file if below.startswith("..") else below

"""Standard output and error of a guest: each line says on whose behalf it was printed.

A line of a request or a run begins with a mark, `PROTOCOL.md`, Annex A, which the host takes off.
What does not go through `sys.stdout` and `sys.stderr`, such as the output of started programs, has
none.
"""

from __future__ import annotations

import io

from ...protocol.life import LABEL_BEGINS, LABEL_ENDS
from . import scope


class LabelledStream(io.TextIOWrapper):
    """A line-buffered stream that marks the beginning of each line."""

    _has_begun = False  # a line
    level = "log"  # of its lines, for who is told of them

    def write(self, text: str, /) -> int:
        """Write `text`; return its length, without marks."""
        of = scope.find()
        trace = getattr(of, "trace", None)
        if trace is not None:
            trace.printed(self.level, text)
        if of is None or not of.label or not text:
            super().write(text)
        else:
            mark = f"{LABEL_BEGINS}{_shown(of.label)}{LABEL_ENDS}"
            body, end = text[:-1], text[-1]
            begin = "" if self._has_begun else mark
            super().write(begin + body.replace("\n", f"\n{mark}") + end)
        if text:
            self._has_begun = text[-1] != "\n"
        return len(text)


def _shown(label: str) -> str:
    """Return a label without what could end its mark: the name of an instance may have anything."""
    return label if label.replace("\t", "").isprintable() else ascii(label)[1:-1]

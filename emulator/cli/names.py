"""What instances, errors and the lines of a worker are called at the terminal."""

from __future__ import annotations

import re
from typing import NamedTuple

from emulator.cli.cells import printable, shorten

ID_MAX = 36  # columns of an id; a UUID is cut to its first part
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InstanceName(NamedTuple):
    """shown: workflow and short id, `"orders 4f0c61f2"`."""

    workflow: str
    id: str
    shown: str

    @classmethod
    def of(cls, workflow: str, id: str) -> InstanceName:
        """Return the name of an instance."""
        return cls(workflow, id, printable(f"{workflow} {short_id(id)}"))


def short_id(id: str) -> str:
    """Return an id as it is shown in a line: `"4f0c61f2"` of a UUID, others as they are."""
    return id[:8] if _UUID.fullmatch(id) else shorten(id, ID_MAX)


def shown_label(label: str) -> str:
    """Return the label of a line that a worker printed, `OutputLine.label`, as it is shown."""
    workflow, tab, instance = label.partition("\t")
    return printable(f"{workflow} {short_id(instance)}" if tab else label) or "worker"


def named_error(name: str, message: str) -> str:
    """Return `"name: message"`; what a failed step raises has its name in its message already."""
    return message if message.startswith(f"{name}: ") else f"{name}: {message}"

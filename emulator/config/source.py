"""A configuration file as data, with the line of every key.

`toml_source.py` and `jsonc_source.py` produce it; all others read it through `Table`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from emulator.json_types import Json
from emulator.words import escaped

KeyPath = tuple[str | int, ...]  # ("env", "staging", "workflows", 0, "name")

_BARE_KEY = re.compile(r"[A-Za-z0-9_$-]+")


class Parsed(Struct, frozen=True):
    """A text as plain data. `lines[path]` counts from 1; `repeated` are keys given twice."""

    data: dict[str, Json]
    lines: Mapping[KeyPath, int]
    repeated: tuple[tuple[KeyPath, int], ...] = ()


class Source(Struct, frozen=True):
    """A parsed file and the name it is shown by."""

    shown: str
    parsed: Parsed

    def where(self, path: KeyPath = ()) -> str:
        """Return `"wrangler.toml:14"` for a key, its nearest known parent's place, or the file."""
        while path:
            line = self.parsed.lines.get(path)
            if line is not None:
                return f"{self.shown}:{line}"
            path = path[:-1]
        return self.shown

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or 0 when it is not known."""
        return self.parsed.lines.get(path, 0)


def key_name(path: KeyPath) -> str:
    """Return a key path as it is named in messages: `env.staging.workflows[0].name`."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            name += f".{key}" if name else key
    return escaped(name[:200])

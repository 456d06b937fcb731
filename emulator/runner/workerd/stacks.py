"""Stacks of JavaScript errors, with places in the user's own files and without our frames."""

from __future__ import annotations

import re
from pathlib import Path

from emulator.bundling.bundle import Bundle
from emulator.bundling.source_maps import MalformedMap, SourceMap, mapped_stack
from emulator.runner.requests import LoadError

_PLACE = re.compile(r"at (?:.* \()?(?P<file>[^\s():]+):(?P<line>\d+):\d+\)?$", re.MULTILINE)
_FRAME = re.compile(r"\s+at ")
_OWN = re.compile(
    r"(?:^|[\s(])(?:entry|front|groundfog/[\w-]+\.js):\d+:\d+|cloudflare-internal:|groundfog:"
)
# What workerd says of a worker that does not start, and what follows from it.
_SERVICE = re.compile(r"^service (?:user|control): ", re.MULTILINE)
_CONSEQUENCE = re.compile(r'^Socket "[^"]+" refers to service .*$', re.MULTILINE)
_ERROR_NAME = re.compile(r"(?:Uncaught )?(?P<name>[A-Z]\w*(?:Error|Exception)): ")
_TOO_NEW = "requires compatibility date"
FRAMES_MAX = 50
# Reading a larger map takes so long that requests would notice it.
QUICK_MAP_MAX_BYTES = 2 * 1024 * 1024


class Stacks:
    """Puts places in the user's files into the stacks of one generation, which it names."""

    def __init__(self, project_dir: Path, bundle: Bundle, generation: int = 0) -> None:
        self.generation = generation
        self._project_dir = project_dir
        self._main = bundle.main
        self.map = bundle.source_map
        self._read: SourceMap | None = None

    def mapped(self, stack: str) -> str:
        """Return a stack with the user's places; frames of ours are left out."""
        lines = [line for line in stack.splitlines() if not _is_own(line)]
        if len(lines) > FRAMES_MAX:
            lines = [*lines[:FRAMES_MAX], f"    ... {len(lines) - FRAMES_MAX} more frames"]
        text = "\n".join(lines)
        try:
            return mapped_stack(text, self._map_of, self._project_dir)
        except MalformedMap:  # of another bundler, with no_bundle
            return text

    def line(self, text: str) -> str | None:
        """Return a printed line, with the user's place if it is a frame; None: a frame of ours."""
        if not _FRAME.match(text):
            return text
        if _OWN.search(text):
            return None
        is_quick = self._read is not None or len(self.map or b"") <= QUICK_MAP_MAX_BYTES
        return self.mapped(text) if is_quick else text

    def load_error(self, said: str) -> LoadError | None:
        """Return why the code did not load, from what a process printed; None: it is not why."""
        if not _SERVICE.search(said):
            return None
        text = self.mapped(_CONSEQUENCE.sub("", _SERVICE.sub("", said)).strip())
        message = text.splitlines()[0].removeprefix("Uncaught ")
        name = _ERROR_NAME.match(text)
        found = _PLACE.search(text)
        file, line = (found["file"], int(found["line"])) if found else ("", 0)
        if name is not None:
            message = message.removeprefix(f"{name['name']}: ")
        if _TOO_NEW in message:
            text += (
                "\nSet compatibility_date to a date that this workerd knows, or install a newer"
                " workerd: npm install -D wrangler@latest"
            )
        return LoadError(name["name"] if name else "LoadError", message, text, file, line)

    def _map_of(self, module: str) -> SourceMap | None:
        if module != self._main or self.map is None:
            return None
        if self._read is None:
            self._read = SourceMap(self.map)
        return self._read


def _is_own(line: str) -> bool:
    return _FRAME.match(line) is not None and _OWN.search(line) is not None

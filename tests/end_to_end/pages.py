"""A page of documentation, carried out as a reader would: its commands, files, outputs, in order.

A block `sh` is run. A block `text` behind it is what it prints; behind `<!-- terminal -->` it is
what `groundfog dev` prints. `<!-- file: PATH -->` and `<!-- append: PATH -->` say where the next
block goes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import DEADLINE_S, eventually

_MARK = "\n--- what the next block finds\n"
_KEEP = f"printf '{_MARK}'; env -0".replace("\n", "\\n")
COMMAND_DEADLINE_S = 60  # a run of pytest on a busy machine
_BLOCK = re.compile(r"(?:^<!-- ([a-z]+)(?:: (\S+))? -->\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
# What differs from one reader to the next: times, durations, and lines that are drawn over time.
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?|\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"\d+h \d+m|(\d+m )?\d+(\.\d+)? ?m?s\b"), "SPAN"),
    (re.compile(r"[ ┄━]+"), " "),
)


@dataclass(frozen=True, slots=True)
class Block:
    """kind: `run`, `prints`, `terminal`, `file` or `append`. path: of a file."""

    kind: str
    text: str
    path: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """Yield what a page says to do and to see, in order. Blocks of other languages only show."""
    for mark, path, language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if mark:
            yield Block(mark, text, path)
        elif language in ("sh", "text"):
            yield Block("run" if language == "sh" else "prints", text)


def is_shown(shown: str, printed: str) -> bool:
    """Whether a page shows truly what was printed. `…` stands for anything, or for lines."""
    lines, skips = iter(printed.strip().splitlines()), False
    for wanted in shown.strip().splitlines():
        if wanted.strip() == "…":
            skips = True
            continue
        for line in lines:
            if _fits(wanted, line):
                break
            if not skips:
                return False
        else:
            return False
        skips = False
    return skips or next(lines, None) is None


def _fits(wanted: str, line: str) -> bool:
    first, *others = _steady(wanted).split("…")
    line = _steady(line)
    if not others:
        return first == line
    if not line.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = line.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return line.endswith(others[-1]) and len(line) - len(others[-1]) >= at


def _steady(line: str) -> str:
    for varying, name in _VARYING:
        line = varying.sub(name, line)
    return line.strip()


class Reader:
    """Carries out the blocks of a page in a folder. port: in place of 8787."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._log = folder / ".terminal.log"
        self._printed = ""
        self._env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:asyncio -p no:randomly -n 0",
        }
        self._servers: list[subprocess.Popen[bytes]] = []

    def carry_out(self, block: Block) -> None:
        """Do what one block says, or see whether it tells the truth."""
        text = block.text
        match block.kind:
            case "run" if text.startswith("groundfog dev"):
                self._serve(text)
            case "run":
                self._run(text)
            case "prints":
                assert is_shown(text, self._printed), (
                    f"the page shows:\n{text}\nit prints:\n{self._printed}"
                )
            case "terminal":
                self._see(text)
            case "file":
                (self._folder / block.path).write_text(block.text, encoding="utf-8")
            case "append":
                with open(self._folder / block.path, "a", encoding="utf-8") as file:
                    file.write(block.text)
            case other:
                raise AssertionError(f"a page has the mark {other!r}")

    def _run(self, text: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", f"{self._here(text)}\n{_KEEP}"],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        printed, kept = done.stdout.rsplit(_MARK, 1)
        self._printed = printed.replace(str(self._port), "8787")
        variables = dict(line.split("=", 1) for line in kept.split("\0") if "=" in line)
        self._folder, self._env = Path(variables["PWD"]), variables

    def _serve(self, text: str) -> None:
        text = text.replace("groundfog dev", f"exec groundfog dev --port {self._port}")
        with open(self._log, "wb") as log:
            self._servers.append(
                subprocess.Popen(
                    ["bash", "-c", text], cwd=self._folder, env=self._env, stdout=log, stderr=log
                )
            )
        self._see("Ready on…")

    def _see(self, text: str) -> None:
        """Wait until the server has printed each of these lines; neighbours may change places."""
        wanted = self._here(text).strip().splitlines()

        def printed() -> bool:
            lines = self._log.read_text(encoding="utf-8").splitlines()
            return all(any(_fits(each, line) for line in lines) for each in wanted)

        try:
            eventually(printed)
        except AssertionError:
            raise AssertionError(f"{text}\nis not in:\n{self._log.read_text()}") from None

    def _here(self, text: str) -> str:
        return text.replace("8787", str(self._port))

    def close(self) -> None:
        """End the servers."""
        for server in self._servers:
            server.terminate()
            server.wait(DEADLINE_S)

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

COMMAND_DEADLINE_S = 60  # a run of pytest on a busy machine
_BLOCK = re.compile(r"(?:^<!-- ([a-z]+)(?:: (\S+))? -->\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
# What differs from one reader to the next: times of day, durations, and lines that show time.
_VARYING = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?", r"\S+[ T]\S+?"),
    (r"\d\d:\d\d:\d\d\.\d{3}", r"[\d:.]+"),
    (r"\d+h \d+m", r"[\dhm ]+"),
    (r"\d+(\.\d+)? ?m?s\b", r"[\d.,]+ ?m?s"),
    (r"[┄━][┄━ ]*", r"[┄━ ]*"),
    (r"…", r".*?"),
    (r" +", r"[ ┄━]+"),
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


def pattern(shown: str) -> re.Pattern[str]:
    """Return what output must be like so that a page shows it truly."""
    found = "|".join(f"(?P<v{number}>{old})" for number, (old, _) in enumerate(_VARYING))
    parts, at = [], 0
    for match in re.finditer(found, shown):
        parts.append(re.escape(shown[at : match.start()]))
        parts.append(next(new for n, (_, new) in enumerate(_VARYING) if match[f"v{n}"] is not None))
        at = match.end()
    return re.compile("".join([*parts, re.escape(shown[at:])]), re.DOTALL)


class Reader:
    """Carries out the blocks of a page in a folder. port: in place of 8787."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._log = folder / "terminal.log"
        self._printed = ""
        self._env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "80",
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
                assert pattern(text.strip()).fullmatch(self._printed.strip()), (
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
            ["bash", "-e", "-c", f"{self._here(text)}\necho; pwd"],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        self._printed, _, folder = done.stdout.rstrip().rpartition("\n")
        self._printed = f"{done.stderr}{self._printed}".replace(str(self._port), "8787")
        self._folder = Path(folder)

    def _serve(self, text: str) -> None:
        text = text.replace("groundfog dev", f"exec groundfog dev --port {self._port}")
        with open(self._log, "ab") as log:
            self._servers.append(
                subprocess.Popen(
                    ["bash", "-c", text], cwd=self._folder, env=self._env, stdout=log, stderr=log
                )
            )
        self._see("Ready on")

    def _see(self, text: str) -> None:
        """Wait until the server has printed each of these lines; neighbours may change places."""
        lines = [pattern(line) for line in self._here(text).strip().splitlines()]

        def printed() -> bool:
            log = self._log.read_text(encoding="utf-8")
            return all(line.search(log) for line in lines)

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

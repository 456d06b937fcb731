"""The languages that a round's worker may be in: its project, and what its processes are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.crash import typescript, worker
from tests.crash.ledger import Ledger
from tests.end_to_end.server import DevServer


@dataclass(frozen=True, slots=True)
class Language:
    """A language, and what is special to it.

    main: the file that a save changes: the number behind `mark`. told: gives a worker's way to the
    ledger. write: writes a project, whose worker goes that way. settings: more of groundfog.toml.
    guests, helpers: the processes that run user code, the oldest first, and those that make guests.
    lacks: features that make no sense here.
    """

    name: str
    main: str
    mark: str
    told: Callable[[Ledger], AbstractContextManager[str]]
    write: Callable[[Path, str], None]
    settings: str
    guests: Callable[[DevServer], list[int]]
    helpers: Callable[[DevServer], list[int]]
    lacks: frozenset[str]
    environment: Mapping[str, str]


def python() -> Language:
    """Return Python. The helper is the forkserver."""
    return Language(
        "Python",
        worker.MAIN,
        worker.MARK,
        lambda ledger: nullcontext(str(ledger.path)),
        worker.write_project,
        "",
        DevServer.guest_pids,
        lambda server: [child.pid for child in psutil.Process(server.pid).children()],
        frozenset({"clones"}),
        {},
    )


def in_typescript() -> Language:
    """Return TypeScript. The helper is esbuild. `GROUNDFOG_WRANGLER` must be set."""
    return Language(
        "TypeScript",
        typescript.MAIN,
        typescript.MARK,
        typescript.told,
        typescript.write_project,
        typescript.SETTINGS,
        lambda server: _children(server, "workerd"),
        lambda server: _children(server, "esbuild"),
        frozenset(),
        {"GROUNDFOG_TOOLS": os.environ["GROUNDFOG_WRANGLER"]},
    )


def _children(server: DevServer, name: str) -> list[int]:
    found = [child for child in psutil.Process(server.pid).children() if child.name() == name]
    return [child.pid for child in sorted(found, key=psutil.Process.create_time)]

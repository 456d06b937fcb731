"""Small TypeScript projects written for one test, and where their tools are."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.server import DevServer

WRANGLER = """
name = "under-test"
main = "src/index.ts"
compatibility_date = "2026-08-01"

[[d1_databases]]
binding = "DB"
database_name = "db"
"""


def tools() -> str:
    """Return the folder with wrangler's packages, or skip the test."""
    folder = os.environ.get("GROUNDFOG_WRANGLER")
    if not folder:
        pytest.skip("GROUNDFOG_WRANGLER does not name a folder with wrangler installed")
    return folder


def project(folder: Path, index: str, more: str = "", **files: str) -> Path:
    """Write a project: its main module, more configuration, and other files of `src`."""
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(WRANGLER + textwrap.dedent(more))
    (folder / "src" / "index.ts").write_text(textwrap.dedent(index))
    for name, content in files.items():
        (folder / "src" / f"{name}.ts").write_text(textwrap.dedent(content))
    return folder


def dev(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> DevServer:
    """Return a server on a project, not yet waited for."""
    return DevServer(folder, *arguments, env={"GROUNDFOG_TOOLS": tools(), **(env or {})})


def workerds(server: DevServer) -> list[psutil.Process]:
    """Return the workerd processes of a server, oldest first."""
    return [
        process
        for process in psutil.Process(server.pid).children()
        if process.name() == "workerd" and process.status() != psutil.STATUS_ZOMBIE
    ]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

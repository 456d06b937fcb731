"""A database lives in UTC, wherever the developer does.

Source: docs/platform/hosting.md, "Time".
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEW_YORK = {**os.environ, "TZ": "America/New_York"}

WORK = """
import asyncio, pathlib, sys, time
from bindings.d1.database import D1
from bindings.d1.jobs import Query

async def work():
    database = D1(pathlib.Path(sys.argv[1]))
    assert time.strftime("%z") == "-0500" or time.daylight
    for _ in range(3):  # by the thread that writes, by one that reads, and on the event loop
        for sql in sys.argv[2:]:
            for result in await database.run([Query(sql)]):
                print(result["results"]["rows"])
    await database.close()

asyncio.run(work())
"""


def in_new_york(tmp_path: Path, *statements: str) -> list[str]:
    """Return what each of `statements`, run three times in a process of that zone, answers."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path / "d.sqlite"), *statements],
        env=NEW_YORK,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT datetime('2026-01-01 00:00:00', 'localtime')", "'2026-01-01 00:00:00'"),
        ("SELECT date(1767225600, 'unixepoch', 'localtime')", "'2026-01-01'"),
        ("SELECT datetime('2026-07-01 12:00:00', 'utc')", "'2026-07-01 12:00:00'"),
        ("SELECT strftime('%s', 'now', 'localtime') - strftime('%s', 'now')", "0"),
    ],
)
def test_local_time_is_utc(tmp_path: Path, sql: str, value: str) -> None:
    assert in_new_york(tmp_path, sql) == [f"[[{value}]]"] * 3


def test_a_default_of_local_time_is_utc(tmp_path: Path) -> None:
    found = in_new_york(
        tmp_path,
        "CREATE TABLE IF NOT EXISTS t(at DEFAULT (datetime('now', 'localtime')));"
        " INSERT INTO t DEFAULT VALUES;"
        " SELECT abs(unixepoch(at) - unixepoch('now')) < 60 FROM t ORDER BY rowid DESC LIMIT 1",
    )

    assert found == ["[[1]]"] * 3

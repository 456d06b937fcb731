"""Slow SQL, long SQL and large results on a real server: all are answered, and so is the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import make_project
from tests.waiting import eventually
from tests.watchdog import unblocked

ENTRY = """
from workers import Response, WorkerEntrypoint

class Flow:
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        try:
            found = await self.env.DB.prepare(await request.text()).raw()
        except Exception as error:
            return Response(str(error), status=400)
        return Response(f"{len(found)} {str(found[:1])[:100]}")
"""

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT "
MANY_ROWS = NUMBERS.format(100_000) + "i, 'row ' || i FROM n"
LARGE_ROWS = NUMBERS.format(1_500) + "zeroblob(1000000) FROM n"
MOST = NUMBERS.format(29) + "hex(zeroblob(999990)) FROM n"


def test_hostile_sql_is_answered_and_holds_up_nobody(tmp_path: Path, serve: Serve) -> None:
    server = serve(make_project(tmp_path / "project", ENTRY))

    def ask(sql: str) -> str:
        return server.post("/", content=sql, timeout=60).text

    assert ask("SELECT 1") == "1 [[1]]"

    def ask_all() -> list[str]:
        return [
            ask("SELECT length(printf('%.*c', 2000000000, 'x'))"),
            ask("SELECT instr(zeroblob(200000), CAST(zeroblob(100000) || 'x' AS BLOB))"),
            ask(MANY_ROWS),
            ask(LARGE_ROWS),
            ask(MOST),
            ask("\n" * 99_000),
            ask(";" * 99_000),
            ask("x" * 200_000),
        ]

    answers = unblocked(server.pid, server.url, ask_all)
    most_bytes = psutil.Process(server.pid).memory_info().rss

    no_statement = "Error: D1_ERROR: SQL code did not contain a statement."
    assert answers == [
        "Error: D1_ERROR: string or blob too big: SQLITE_TOOBIG",
        "1 [[0]]",
        "100000 [[1, 'row 1']]",
        "Error: D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
        f"29 {str([['00' * 999_990]])[:100]}",
        "Error: D1_ERROR: No SQL statements detected.",
        no_statement,
        "Error: D1_ERROR: statement too long: SQLITE_TOOBIG",
    ]
    assert most_bytes < 800_000_000


def test_a_database_is_in_utc_on_the_server_and_on_the_command_line(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "project", ENTRY)
    server = serve(project, env={"TZ": "America/New_York"})
    sql = "SELECT datetime('2026-01-01 00:00:00', 'localtime')"

    assert server.post("/", content=sql).text == "1 [['2026-01-01 00:00:00']]"
    command = [sys.executable, "-m", "groundfog", "d1", "execute", "DB", "--json", "--command", sql]
    environment = {**os.environ, "TZ": "Asia/Tokyo"}
    printed = subprocess.check_output(command, cwd=project, env=environment, text=True)
    assert "2026-01-01 00:00:00" in printed


def test_a_server_stops_though_sqlite_does_not(tmp_path: Path, serve: Serve) -> None:
    server = serve(make_project(tmp_path / "project", ENTRY))
    assert server.post("/", content="SELECT 1").text == "1 [[1]]"
    # Half a minute inside one function.
    endless = "SELECT instr(zeroblob(2000000), CAST(zeroblob(1000000) || 'x' AS BLOB))"
    with ThreadPoolExecutor(1) as client:
        asked = client.submit(httpx.post, server.url, content=endless, timeout=60)
        host = psutil.Process(server.pid)
        began_s = host.cpu_times().user
        eventually(lambda: bool(host.cpu_times().user > began_s + 0.3))
        assert server.stop() == 0
        assert asked.exception() is not None or asked.result().status_code >= 400

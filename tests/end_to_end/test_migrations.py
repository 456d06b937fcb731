"""`groundfog dev` and migrations that have not been applied."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import make_project

HANDLER = """
from workers import Response, WorkerEntrypoint


class Flow:
    pass


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response.json((await self.env.DB.prepare("SELECT n FROM t").first("n")))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = make_project(tmp_path / "p", HANDLER)
    (project / "migrations").mkdir()
    (project / "migrations" / "0001_table.sql").write_text("CREATE TABLE t(n);")
    (project / "migrations" / "0002_row.sql").write_text("INSERT INTO t VALUES (7);")
    return project


def test_pending_migrations_are_told_and_left_alone(project: Path, serve: Serve) -> None:
    server = serve(project)

    server.wait_for(r"2 migrations are pending for db: 0001_table.sql, 0002_row.sql\.")
    server.wait_for("groundfog d1 migrations apply DB`, or start with --migrate")
    assert not (project / ".groundfog" / "d1" / "db.sqlite").exists()

    said = len(server.lines)
    assert server.get("/").status_code == 500
    server.wait_for("a query names a table that does not exist, and 2 migrations are", said)


def test_with_migrate_they_are_applied_before_the_first_request(
    project: Path, serve: Serve
) -> None:
    server = serve(project, "--migrate")

    assert server.get("/").json() == 7
    assert "applied migration 0002_row.sql to db" in server.output
    assert "pending" not in server.output


def test_a_migration_that_fails_keeps_the_server_from_starting(project: Path) -> None:
    (project / "migrations" / "0002_row.sql").write_text("INSERT INTO t VALUES (7); OOPS;")

    done = subprocess.run(
        [sys.executable, "-m", "groundfog", "dev", str(project), "--port", "0", "--migrate"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "error: " in done.stderr and '0002_row.sql: near "OOPS": syntax error' in done.stderr
    with closing(sqlite3.connect(project / ".groundfog" / "d1" / "db.sqlite")) as connection:
        assert connection.execute("SELECT name FROM d1_migrations").fetchall() == [
            ("0001_table.sql",)
        ]
        assert connection.execute("SELECT * FROM t").fetchall() == []

"""SIGKILL at any moment: acknowledged calls are there, others are there whole or not at all."""

from __future__ import annotations

import random
from pathlib import Path

import psutil

from bindings.d1.database import D1
from tests.bindings.d1.calls import rows, with_d1
from tests.bindings.killed import running
from tests.waiting import eventually

SEED = 20_261_122
KILLS = 8

# Each call writes the same number to two tables, with padding that fills pages of the log.
PAIRS = """
import asyncio, sys
from pathlib import Path
from bindings.d1.database import D1

async def main():
    database = D1(Path(sys.argv[1]), "db")
    for n in range(int(sys.argv[2]), 10 ** 9):
        entry = {"params": [n, "x" * 20_000]}
        await database.call("query", [[
            {"sql": "INSERT INTO a VALUES (?, ?)", **entry},
            {"sql": "INSERT INTO b VALUES (?, ?)", **entry},
        ]])
        print(n, flush=True)

asyncio.run(main())
"""

# The second statement never ends by itself.
ENDLESS = """
import asyncio, sys
from pathlib import Path
from bindings.d1.database import D1

async def main():
    database = D1(Path(sys.argv[1]), "db", query_timeout_ms=600_000)
    await database.call("exec", [["CREATE TABLE t(n)", "INSERT INTO t VALUES (1)"]])
    print("ready", flush=True)
    await database.call("query", [[
        "INSERT INTO t VALUES (2)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
        " INSERT INTO t SELECT count(*) FROM c",
    ]])

asyncio.run(main())
"""


def test_a_kill_between_two_statements_of_a_batch_leaves_neither(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    with running(ENDLESS, path) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        measured = psutil.Process(process.pid)
        before = measured.cpu_times().user
        # The first statement takes microseconds: it is the second that uses this time.
        eventually(lambda: measured.cpu_times().user > before + 0.3)

    assert with_d1(path, lambda database: rows(database, "SELECT n FROM t")) == [[1]]


def test_what_was_acknowledged_survives_and_nothing_is_there_by_half(tmp_path: Path) -> None:
    """Kill a writer again and again, after a random number of acknowledged calls, on one file."""
    path, chance = tmp_path / "d.sqlite", random.Random(SEED)

    async def found(database: D1) -> tuple[list[int], list[int], str]:
        a = [row[0] for row in await rows(database, "SELECT n FROM a ORDER BY n")]
        b = [row[0] for row in await rows(database, "SELECT n FROM b ORDER BY n")]
        return a, b, (await rows(database, "PRAGMA quick_check"))[0][0]

    async def create(database: D1) -> None:
        await database.call("exec", [["CREATE TABLE a(n, x)", "CREATE TABLE b(n, x)"]])

    with_d1(path, create)
    acknowledged: list[int] = []
    for round_ in range(KILLS):
        with running(PAIRS, path, round_ * 100_000) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 12)):
                acknowledged.append(int(process.stdout.readline()))
        a, b, verdict = with_d1(path, found)
        assert verdict == "ok" and a == b, f"seed {SEED}"
        assert set(acknowledged) <= set(a), f"seed {SEED}"

"""Many readers and writers at once, in one process and in two."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from bindings.d1.database import D1
from tests.bindings.d1.calls import query, rows, with_d1

ROOT = Path(__file__).parents[3]
ACCOUNTS, TOTAL = 10, 1_000

# Moves money between accounts, one batch each; what is there in all never changes.
MOVES = """
import asyncio, random, sys
from pathlib import Path
from bindings.d1.database import D1

async def main():
    database = D1(Path(sys.argv[1]), "db", synchronous="NORMAL")
    chance = random.Random(int(sys.argv[2]))

    async def move(amount):
        source, target = chance.sample(range(10), 2)
        change = "UPDATE accounts SET money = money + ? WHERE id = ?"
        await database.call("query", [[
            {"sql": change, "params": [-amount, source]},
            {"sql": change, "params": [amount, target]},
            {"sql": "INSERT INTO moves VALUES (?)", "params": [amount]},
        ]])

    await asyncio.gather(*(move(chance.randint(1, 9)) for _ in range(int(sys.argv[3]))))
    await database.close()

asyncio.run(main())
"""
SUMS = "SELECT (SELECT sum(money) FROM accounts), (SELECT count(*) FROM moves)"
SLOW_SUM = (
    "SELECT sum(money) FROM accounts WHERE money > -1e9 AND 0 < (WITH RECURSIVE c(x) AS"
    " (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT count(*) FROM c)"
)


async def create(database: D1) -> None:
    await query(
        database,
        "CREATE TABLE accounts(id INTEGER PRIMARY KEY, money INTEGER)",
        "CREATE TABLE moves(amount)",
        *(f"INSERT INTO accounts VALUES ({n}, {TOTAL // ACCOUNTS})" for n in range(ACCOUNTS)),
    )


def test_every_reader_sees_whole_calls_while_two_processes_write(tmp_path: Path) -> None:
    path, moves = tmp_path / "d.sqlite", 150
    with_d1(path, create)
    writers = [
        subprocess.Popen([sys.executable, "-c", MOVES, path, str(n), str(moves)], cwd=ROOT)
        for n in range(2)
    ]

    async def read(database: D1) -> list[list[int]]:
        seen: list[list[int]] = []

        async def reader(sql: str) -> None:
            while any(writer.poll() is None for writer in writers):
                seen.extend(await rows(database, sql))

        await asyncio.gather(*(reader(sql) for sql in [SUMS] * 6 + [SLOW_SUM] * 2))
        return [*seen, *await rows(database, SUMS)]

    seen = with_d1(path, read)

    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert {row[0] for row in seen} == {TOTAL}
    assert seen[-1] == [TOTAL, 2 * moves]


def test_a_thousand_calls_at_once_are_all_answered(tmp_path: Path) -> None:
    async def work(database: D1) -> tuple[int, list[list[int]]]:
        await query(database, "CREATE TABLE t(n)")
        calls = [
            query(database, ("INSERT INTO t VALUES (?)", [n]))
            if n % 5 == 0
            else rows(database, "SELECT count(*) FROM t WHERE n >= ?", n)
            for n in range(1_000)
        ]
        answers = await asyncio.gather(*calls)
        return len(answers), await rows(database, "SELECT count(*), count(DISTINCT n) FROM t")

    answered, counted = with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")

    assert (answered, counted) == (1_000, [[200, 200]])


def test_a_slow_query_holds_up_neither_readers_nor_writers(tmp_path: Path) -> None:
    slow = SLOW_SUM.replace("20000", "100000000")

    async def work(database: D1) -> bool:
        await create(database)
        running = asyncio.create_task(rows(database, slow))
        for n in range(20):
            await query(database, f"INSERT INTO moves VALUES ({n})")
            assert (await rows(database, SUMS))[0] == [TOTAL, n + 1]
        still_running = not running.done()
        running.cancel()
        return still_running

    assert with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")

"""SIGKILL at any moment: every acknowledged put is there, and each file is whole."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path

from bindings.kv.kv import Kv
from emulator.clock import SystemClock
from tests.bindings.killed import acknowledged

SEED = 20_261_130
KILLS = 5

# Eight callers put numbers, some of them with values of many pages; each prints what is durable.
PUTS = """
import asyncio, sys
from pathlib import Path
from bindings.kv.kv import Kv
from emulator.clock import SystemClock

async def put(kv, first):
    for n in range(first, 10 ** 9, 8):
        await kv.put(str(n), str(n).encode() * (1 if n % 3 else 20_000))
        print(n, flush=True)

async def main():
    kv = Kv(Path(sys.argv[1]), SystemClock().now_ms)
    await asyncio.gather(*(put(kv, int(sys.argv[2]) + n) for n in range(8)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives(tmp_path: Path) -> None:
    path, chance = tmp_path / "kv.sqlite", random.Random(SEED)
    told = [
        n
        for number in range(KILLS)
        for n in acknowledged(PUTS, chance.randint(1, 60), path, number * 1_000_000)
    ]

    async def values() -> list[bytes | None]:
        kv = Kv(path, SystemClock().now_ms)
        found = [await kv.get(str(n)) for n in told]
        await kv.close()
        return [None if entry is None else entry.value[: len(str(told[0]))] for entry in found]

    found = asyncio.run(values())
    assert [n for n, value in zip(told, found, strict=True) if value is None] == [], f"seed {SEED}"
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]

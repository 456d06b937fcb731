"""SIGKILL at any moment: every acknowledged write of an object is there, and each file is whole."""

from __future__ import annotations

import random
from pathlib import Path

import apsw

from tests.bindings.killed import acknowledged

SEED = 20_261_130
KILLS = 3

# Keys and rows of three objects; each number is printed when it is durable. A pair of keys is
# written in one transaction.
WRITES = """
import asyncio, sys
from pathlib import Path
from bindings.durable_objects.storage import Storage
from bindings.durable_objects.syncing import Syncing

async def write(storage, first):
    storage.call("exec", ["CREATE TABLE IF NOT EXISTS t (n INTEGER)", []])
    storage.call("commit", [[]])
    for n in range(first, 10 ** 9, 3):
        storage.call("exec", ["INSERT INTO t VALUES (?)", [n]])
        storage.call("write", [[[f"a{n}", str(n)]]])
        storage.call("commit", [[[f"b{n}", str(n)]]])
        await storage.durable()
        print(n, flush=True)

async def main():
    folder, first, syncing = Path(sys.argv[1]), int(sys.argv[2]), Syncing()
    storages = [Storage(folder / f"{n}.sqlite", "FULL", syncing) for n in range(3)]
    await asyncio.gather(*(write(each, first + n) for n, each in enumerate(storages)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_and_transactions_are_whole(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    told = {
        n
        for number in range(KILLS)
        for n in acknowledged(WRITES, chance.randint(1, 30), tmp_path, number * 999_999)
    }

    rows: set[int] = set()
    for file in tmp_path.glob("*.sqlite"):
        found = apsw.Connection(str(file))
        assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        keys = {str(key) for (key,) in found.execute("SELECT key FROM _cf_KV")}
        here = {int(str(n)) for (n,) in found.execute("SELECT n FROM t")}
        assert keys == {f"{letter}{n}" for n in here for letter in "ab"}, f"seed {SEED}"
        rows |= here
    assert told <= rows, f"seed {SEED}"

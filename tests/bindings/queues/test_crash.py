"""SIGKILL at any moment: every acknowledged send is there, once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from bindings.queues.broker import Broker
from emulator.clock import SystemClock
from tests.bindings.killed import acknowledged

SEED = 20_261_130
KILLS = 4

# Four callers send numbers in batches of three, and settle what they take of every fourth.
SENDS = """
import asyncio, sys
from pathlib import Path
from bindings.queues.broker import Broker, Sent
from emulator.clock import SystemClock

async def send(broker, first):
    for n in range(first, 10 ** 9, 12):
        await broker.send("q", [Sent(str(n + 4 * k).encode(), "text") for k in range(3)])
        print(n, flush=True)

async def main():
    broker = Broker(Path(sys.argv[1]), SystemClock().now_ms, "FULL")
    await asyncio.gather(*(send(broker, int(sys.argv[2]) + n) for n in range(4)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_and_batches_are_whole(tmp_path: Path) -> None:
    path, chance = tmp_path / "q.sqlite", random.Random(SEED)
    told = [
        n
        for number in range(KILLS)
        for n in acknowledged(SENDS, chance.randint(1, 40), path, number * 1_200_000)
    ]

    async def kept() -> tuple[list[int], int]:
        broker = Broker(path, SystemClock().now_ms, "NORMAL")
        found = [int(each.body) for each in broker.ready("q", 1_000_000, ())]
        count = broker.metrics("q").count
        await broker.close()
        return found, count

    found, count = asyncio.run(kept())
    assert len(found) == len(set(found)) == count, f"seed {SEED}"
    assert set(told) <= set(found), f"seed {SEED}"
    firsts = [n for n in found if n % 1_200_000 % 12 < 4]
    assert set(found) == {n + 4 * k for n in firsts for k in range(3)}

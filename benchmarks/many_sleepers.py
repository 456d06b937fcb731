"""What 10,000 sleeping instances cost Groundfog: memory, disk, a start, and to wake them all.

A virtual clock wakes them, so that nobody waits an hour. Processor time is measured beside the
seconds, as it stays the same on a busy machine.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import httpx

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.processes import SETTLE_SECONDS, Memory, memory_of, processor_seconds, tree_of
from benchmarks.servers import running, running_again

COUNT = 10_000

HOST = Figure("10,000 sleepers, memory of the host (PSS)", Unit.BYTES, goal=60_000_000)
GUEST = Figure("10,000 sleepers, memory of the guest (PSS)", Unit.BYTES, goal=1_000_000)
START = Figure("10,000 sleepers, start: more processor time", Unit.SECONDS, goal=2.0)
WAKE = Figure("10,000 sleepers, all woken", Unit.SECONDS, goal=10.0)
WAKE_PROCESSOR = Figure("10,000 sleepers, all woken: processor time", Unit.SECONDS, goal=10.0)


def measure(peer: Peer) -> dict[str, list[float]]:
    peer = replace(peer, command=(*peer.command, "--clock", "virtual"))
    with running(peer) as server:
        empty_start = processor_seconds(server.pid)
        # One instance first, as loading and creating files are not the cost of a sleeper.
        _sleepers(server.client, 1)
        host_before, guest_before = _settled(server.pid)
        _sleepers(server.client, COUNT)
        host_after, guest_after = _settled(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        with running_again(server) as again:
            full_start = processor_seconds(again.pid)
            woken_s, woken_processor_s = _wake_all(again.pid, again.client)
        return {
            HOST.name: [host_after - host_before],
            GUEST.name: [guest_after - guest_before],
            START.name: [full_start - empty_start],
            WAKE.name: [woken_s],
            WAKE_PROCESSOR.name: [woken_processor_s],
        }


def _sleepers(client: httpx.Client, count: int) -> None:
    client.get("/sleepers", params={"count": count}).raise_for_status()


def _settled(host: int) -> tuple[int, int]:
    """Return the memory of the host and that of all its descendants, once both are quiet."""
    time.sleep(SETTLE_SECONDS)
    whole: Memory = memory_of(host)
    alone = memory_of(host, descendants=False)
    return alone.proportional, whole.proportional - alone.proportional


def _wake_all(pid: int, client: httpx.Client) -> tuple[float, float]:
    """Let their hour pass; return the seconds until all have ended, and the processor time."""
    before = sum(processor_seconds(process.pid) for process in tree_of(pid))
    began = time.perf_counter()
    client.post("/cdn-cgi/groundfog/clock/advance", json={"span": "1 hour"}).raise_for_status()
    seconds = time.perf_counter() - began
    spent = sum(processor_seconds(process.pid) for process in tree_of(pid)) - before
    workflow = "/cdn-cgi/local/explorer/api/workflows/steps"
    counts = client.get(workflow).raise_for_status().json()["result"]["instances"]
    assert counts["complete"] == COUNT + 1, counts
    return seconds, spent


PROGRAM = Program(
    figures=(HOST, GUEST, START, WAKE, WAKE_PROCESSOR), repetitions=1, measure=measure
)

if __name__ == "__main__":
    main([PROGRAM])

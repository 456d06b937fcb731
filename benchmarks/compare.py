"""Two checkouts of Groundfog side by side, in one run: `python -m benchmarks.compare ../before`.

A machine's speed changes from minute to minute, so the two take turns, and what counts is the ratio
of their medians. Each checkout has a virtual environment `.venv` with Groundfog installed. With
GROUNDFOG_WRANGLER, one instance in sequence is measured against workerd native too.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks.peers import NotInstalled, Peer, groundfog, rivals
from benchmarks.servers import Server, running
from benchmarks.steps import CREATED, _run

HERE = Path(__file__).parent.parent
STARTS = 12  # the first of each writes bytecode and is left out

T = TypeVar("T")
Samples = dict[str, list[float]]  # what was measured -> seconds, or how many a second


def main() -> None:
    """Measure both checkouts and print a table of their medians."""
    parser = argparse.ArgumentParser(description="Compare two checkouts of Groundfog.")
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=14, metavar="N")
    arguments = parser.parse_args()
    before = _of_checkout(arguments.before.resolve())
    now = _of_checkout(HERE)
    native = _native()
    peers = [before, now] if native is None else [before, now, native]
    samples: list[Samples] = [{} for _ in peers]
    _measure_starts(peers[:2], samples)
    _measure_steps(peers, samples, arguments.rounds)
    _print(samples)


def _of_checkout(folder: Path) -> Peer:
    peer = groundfog()
    return replace(peer, command=(str(folder / ".venv/bin/groundfog"), *peer.command[1:]))


def _native() -> Peer | None:
    try:
        return rivals()[0]
    except NotInstalled:
        return None


def _measure_starts(peers: list[Peer], samples: list[Samples]) -> None:
    for number in range(STARTS):
        for peer, found in _in_turns(peers, samples, number):
            with running(peer) as server:
                if number:
                    _note(found, "start → first response, seconds", server.start_seconds)


def _measure_steps(peers: list[Peer], samples: list[Samples], rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(peer)) for peer in peers]
        for server in servers:
            _run(server, 10, 10)
        for number in range(rounds):
            for server, found in _in_turns(servers, samples, number):
                _note(found, "1 instance × 100 steps, per second", 100 / _run(server, 1, 100)[1])
                if server is servers[0] or server is servers[1]:
                    _measure_many(server, found)


def _measure_many(server: Server, found: Samples) -> None:
    _note(found, "100 instances × 10 steps, per second", 1_000 / _run(server, 100, 10)[1])
    _note(found, "100 instances × 100 steps, per second", 10_000 / _run(server, 100, 100)[1])
    created, run = _run(server, CREATED, 0)
    _note(found, "creating instances, per second", CREATED / created)
    _note(found, "creating and running empty instances, per second", CREATED / run)


def _in_turns(who: list[T], samples: list[Samples], number: int) -> list[tuple[T, Samples]]:
    pairs = list(zip(who, samples, strict=False))
    return pairs if number % 2 else pairs[::-1]


def _note(found: Samples, name: str, value: float) -> None:
    found.setdefault(name, []).append(value)


def _print(samples: list[Samples]) -> None:
    print(
        "|  | before | now | now ÷ before | workerd native |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for name in samples[1]:
        medians = [statistics.median(found[name]) for found in samples if name in found]
        cells = [f"{value:,.3f}" if value < 10 else f"{value:,.0f}" for value in medians]
        native = cells[2] if len(cells) > 2 else ""
        ratio = medians[1] / medians[0]
        print(f"| {name} | {cells[0]} | **{cells[1]}** | {ratio:.2f} | {native} |")


if __name__ == "__main__":
    main()

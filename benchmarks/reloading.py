"""What a save, a broken save and a kill do to live instances, with results in words.

It prints the table of `docs/reload.md`. The time of a save is measured as in `benchmarks.save`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace

from benchmarks import save
from benchmarks.figures import Figure
from benchmarks.peers import NotInstalled, Peer, groundfog, rivals
from benchmarks.reload_cases import CASES
from benchmarks.report import machine, versions
from benchmarks.servers import DidNotAnswer

SAVES = "save → new response"


def main() -> None:
    options = _parser().parse_args()
    try:
        peers = [groundfog(), *(rivals() if options.rivals else [])]
        rows = [_row(name, peers, options.repetitions) for name in CASES if options.only in name]
        if options.only in SAVES:
            rows += _save_rows(peers, options.repetitions)
    except (NotInstalled, DidNotAnswer) as error:
        sys.exit(f"error: {error}")
    header = ["", *(peer.name for peer in peers)]
    table = [header, ["---"] * len(header), *rows]
    print(f"{versions(peers)}, on {machine()}.\n")
    print("\n".join("| " + " | ".join(cells) + " |" for cells in table))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Try what saves do to live instances.")
    parser.add_argument("--rivals", action="store_true", help="try workerd and wrangler too")
    parser.add_argument("--repetitions", type=int, metavar="N", default=3, help="default 3")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name has TEXT")
    return parser


def _row(name: str, peers: list[Peer], repetitions: int) -> list[str]:
    """Try one case on all peers, several times; return what was seen, and how often."""
    seen: dict[str, Counter[str]] = {peer.name: Counter() for peer in peers}
    for repetition in range(repetitions):
        for peer in peers:
            outcome = _tried(name, peer)
            print(f"{name}: {peer.name}, {repetition + 1}: {outcome}", file=sys.stderr, flush=True)
            seen[peer.name][outcome] += 1
    return [name, *(_cell(outcomes, repetitions) for outcomes in seen.values())]


def _tried(name: str, peer: Peer) -> str:
    """Return what was seen. A server that gives up is a finding, too."""
    try:
        return CASES[name](_on_orders(peer))
    except TimeoutError as error:
        return str(error)


def _on_orders(peer: Peer) -> Peer:
    return replace(peer, project=peer.project.parent / "reloading" / peer.project.name)


def _cell(outcomes: Counter[str], repetitions: int) -> str:
    if len(outcomes) == 1:
        return next(iter(outcomes))
    return "<br>".join(f"{times} of {repetitions}: {seen}" for seen, times in outcomes.items())


def _save_rows(peers: list[Peer], repetitions: int) -> list[list[str]]:
    samples: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(repetitions):
        for peer in peers:
            samples[peer.name] += save.measure(peer)[save.MEDIAN.name]
    return [_save_row(figure, samples, peers) for figure in (save.MEDIAN, save.LATE)]


def _save_row(figure: Figure, samples: dict[str, list[float]], peers: list[Peer]) -> list[str]:
    ours = figure.value(samples[peers[0].name])
    values = [figure.value(samples[peer.name]) for peer in peers]
    cells = [f"{value:.3f} s ({value / ours:.1f}×)" for value in values]
    return [f"{figure.name} of {len(samples[peers[0].name])} saves", *cells]


if __name__ == "__main__":
    main()

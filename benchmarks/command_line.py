"""The command of every benchmark: runs programs against peers and prints the table."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Measured, Program
from benchmarks.peers import (
    NotInstalled,
    Peer,
    engines,
    groundfog,
    groundfog_typescript,
    rivals,
)
from benchmarks.report import as_json, as_markdown
from benchmarks.servers import DidNotAnswer

README = Path(__file__).with_name("README.md")
TABLE_BEGINS = "<!-- measured: written by `python -m benchmarks.run --rivals --write-readme` -->\n"
TABLE_ENDS = "<!-- end of measured -->\n"


def main(programs: Sequence[Program], peers_of: Callable[[], list[Peer]] | None = None) -> None:
    """Measure as the command line says, print the table, and end the process.

    peers_of: whom to measure, in place of what the command line says.
    """
    options = _parser().parse_args()
    try:
        peers = _peers(options) if peers_of is None else peers_of()
        measured = [
            row for program in programs for row in _measure(program, peers, options.repetitions)
        ]
    except (NotInstalled, DidNotAnswer) as error:
        sys.exit(f"error: {error}")
    table = as_markdown(measured, peers, _command())
    print(table)
    if options.json:
        options.json.write_text(as_json(measured, peers, _command()))
    if options.write_readme:
        _rewrite_table(table)


def _peers(options: argparse.Namespace) -> list[Peer]:
    peers = [groundfog()]
    peers += [groundfog_typescript()] if options.rivals or options.typescript else []
    peers += rivals() if options.rivals else []
    peers += engines() if options.engines else []
    return peers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure Groundfog on this machine.")
    parser.add_argument("--rivals", action="store_true", help="measure workerd and wrangler too")
    parser.add_argument(
        "--typescript", action="store_true", help="measure a TypeScript worker of Groundfog too"
    )
    parser.add_argument(
        "--engines", action="store_true", help="measure the steps of DBOS and Restate too"
    )
    parser.add_argument(
        "--repetitions", type=int, metavar="N", help="instead of each program's own"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    parser.add_argument("--write-readme", action="store_true", help=f"put the table into {README}")
    return parser


def _measure(program: Program, peers: list[Peer], repetitions: int | None) -> list[Measured]:
    """Measure one peer after another, then all again, so that disturbances affect all of them."""
    rows = {figure.name: Measured(figure, {}) for figure in program.figures}
    for repetition in range(repetitions or program.repetitions):
        for peer in peers:
            if peer.is_engine and not program.for_engines:
                continue
            _report_progress(program.figures[0], peer, repetition)
            for name, samples in program.measure(peer).items():
                rows[name].samples.setdefault(peer.name, []).extend(samples)
    return list(rows.values())


def _report_progress(figure: Figure, peer: Peer, repetition: int) -> None:
    print(f"{figure.name}: {peer.name}, repetition {repetition + 1}", file=sys.stderr)


def _command() -> str:
    module = getattr(sys.modules["__main__"], "__spec__", None)
    name = module.name if module is not None else sys.argv[0]
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


def _rewrite_table(table: str) -> None:
    before, found, rest = README.read_text().partition(TABLE_BEGINS)
    _, ended, after = rest.partition(TABLE_ENDS)
    if not found or not ended:
        sys.exit(f"error: {README} lacks the line {(TABLE_ENDS if found else TABLE_BEGINS)!r}")
    README.write_text(f"{before}{TABLE_BEGINS}\n{table}\n{TABLE_ENDS}{after}")

"""`python -m tests.crash ROUNDS SEED`: rounds with the seeds SEED, SEED + 1, …

A round that breaks a promise leaves its folder behind and says how to run it again. What a round
does is decided by its seed; when exactly it happens is not, so a rare fault may take a few tries.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from emulator.words import counted
from tests.crash.languages import in_typescript, python
from tests.crash.launcher import POINTS
from tests.crash.rounds import (
    DURABILITIES,
    Round,
    at_points,
    at_random,
    seed_from_environment,
)
from tests.crash.scripts import FEATURES


def main() -> int:
    """Run; return the exit code: 1 when a round broke a promise."""
    arguments = _arguments()
    without = {name for name in arguments.without.split(",") if name}
    if unknown := without - FEATURES:
        print(f"no such feature: {', '.join(sorted(unknown))}; there are: {_FEATURES}")
        return 2
    if arguments.typescript and not os.environ.get("GROUNDFOG_WRANGLER"):
        print("--typescript: GROUNDFOG_WRANGLER names no folder with wrangler installed")
        return 2
    seed = seed_from_environment() if arguments.seed is None else arguments.seed
    end = time.monotonic() + arguments.seconds
    rounds = lives = failures = 0
    while rounds < arguments.rounds and (rounds == 0 or time.monotonic() < end):
        folder = Path(tempfile.mkdtemp(prefix=f"crash-{seed}-"))
        round_ = _round(arguments, folder, seed, FEATURES - without)
        round_.run()
        rounds, lives = rounds + 1, lives + round_.killed
        if round_.broken:
            failures += 1
            _tell(round_, arguments)
        else:
            shutil.rmtree(folder)
        seed += 1
    print(
        f"{counted(rounds, 'round')}, {counted(lives, 'server')} ended,"
        f" {counted(failures, 'round')} broken; next seed {seed}"
    )
    return 1 if failures else 0


def _round(
    arguments: argparse.Namespace, folder: Path, seed: int, features: frozenset[str]
) -> Round:
    language = in_typescript() if arguments.typescript else python()
    if arguments.points:
        twice = [POINTS[seed % len(POINTS)]] * 2
        durability = DURABILITIES[seed % len(DURABILITIES)]
        return at_points(folder, twice, seed, durability, language=language)
    return at_random(folder, seed, language=language, features=features, shared=arguments.shared)


_FEATURES = ", ".join(sorted(FEATURES))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=10)
    parser.add_argument("seed", type=int, nargs="?", help="of the first round [CRASH_SEED]")
    limit = "begin no round after so long"
    parser.add_argument("--seconds", type=float, default=float("inf"), help=limit)
    shared = "nested steps of one name, called by several parents and at three levels"
    parser.add_argument("--shared", action="store_true", help=shared)
    typescript = "a worker in TypeScript; GROUNDFOG_WRANGLER has its tools"
    parser.add_argument("--typescript", action="store_true", help=typescript)
    points = f"two crashes at one point a round, which the seed chooses of {len(POINTS)}"
    parser.add_argument("--points", action="store_true", help=points)
    leave_out = f"features to leave out, with commas between: {_FEATURES}"
    parser.add_argument("--without", default="", help=leave_out)
    return parser.parse_args()


def _tell(round_: Round, arguments: argparse.Namespace) -> None:
    (round_.folder / "output").write_text("\n".join(round_.output), encoding="utf-8")
    again = f"python -m tests.crash 1 {round_.seed}"
    again += " --shared" * arguments.shared + " --typescript" * arguments.typescript
    again += " --points" * arguments.points
    again += f" --without {arguments.without}" if arguments.without else ""
    print(f"seed {round_.seed}, {round_.durability}: {round_.lives}, {round_.quiet_blows}")
    print("  " + "\n  ".join(round_.broken[:20]))
    if len(round_.broken) > 20:
        print(f"  and {len(round_.broken) - 20} more")
    print(f"  kept in {round_.folder}; again: {again}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

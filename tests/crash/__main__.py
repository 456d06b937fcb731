"""`python -m tests.crash --seconds N --seed S`: rounds with seeds S, S + 1, … for N seconds.

A round that breaks a promise leaves its folder behind and says how to run it again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.rounds import at_random, seed_from_environment


def main() -> int:
    """Run; return the exit code: 1 when a round broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="of the first round [CRASH_SEED]")
    arguments = parser.parse_args()
    seed = seed_from_environment() if arguments.seed is None else arguments.seed
    end = time.monotonic() + arguments.seconds
    rounds = kills = failures = 0
    while rounds == 0 or time.monotonic() < end:
        folder = Path(tempfile.mkdtemp(prefix=f"crash-{seed}-"))
        round_ = at_random(folder, seed)
        broken = round_.run()
        rounds, kills = rounds + 1, kills + round_.killed
        if broken:
            failures += 1
            (folder / "output").write_text("\n".join(round_.output), encoding="utf-8")
            print(f"seed {seed}, {round_.durability}: {round_.crashes}\n  " + "\n  ".join(broken))
            print(f"  kept in {folder}; again: python -m tests.crash --seconds 0 --seed {seed}")
        else:
            shutil.rmtree(folder)
        seed += 1
    print(f"{rounds} rounds, {kills} servers killed, {failures} rounds broken; next seed {seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

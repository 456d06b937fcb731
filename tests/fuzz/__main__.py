"""`python -m tests.fuzz TARGET SECONDS [SEED]`: try inputs on a target, or on `all` in turn.

An input that breaks a promise is made smaller and kept; `--file` tries it again. The exit code is 1
when there was one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.core import Session, Target, failure
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run; return the exit code."""
    arguments = _arguments()
    if arguments.list or arguments.target is None:
        for name, target in TARGETS.items():
            print(f"{name:12} {target.about}")
        return 0
    names = list(TARGETS) if arguments.target == "all" else [arguments.target]
    if unknown := [name for name in names if name not in TARGETS]:
        print(f"no target {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
        return 2
    if arguments.file is not None:
        return _again(names[0], arguments.file)
    seed = int.from_bytes(os.urandom(4)) if arguments.seed is None else arguments.seed
    return max([_fuzz(name, arguments.seconds, seed) for name in names])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", help="a name that --list shows, or all")
    parser.add_argument("seconds", type=float, nargs="?", default=10)
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument("--file", type=Path, help="try this input instead")
    return parser.parse_args()


@contextmanager
def _opened(name: str) -> Iterator[Target]:
    with tempfile.TemporaryDirectory(prefix=f"fuzzing-{name}-") as folder:
        target = TARGETS[name](Path(folder))
        try:
            yield target
        finally:
            target.close()


def _fuzz(name: str, seconds: float, seed: int) -> int:
    with _opened(name) as target:
        session = Session(target, seed)
        session.run(seconds)
    print(f"{name}: {session.inputs} inputs, {len(session.findings)} findings; seed {seed}")
    for finding in session.findings:
        print(finding.text)
        print(f"  again: python -m tests.fuzz {name} --file {finding.path}\n", flush=True)
    return 1 if session.findings else 0


def _again(name: str, path: Path) -> int:
    with _opened(name) as target:
        error = failure(target, path.read_bytes())
    if error is None:
        print(f"{name}: nothing is wrong with {path}")
        return 0
    raise error


if __name__ == "__main__":
    sys.exit(main())

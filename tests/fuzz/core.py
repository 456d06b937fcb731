"""What all fuzzers share: a target, its loop, a limit on time, smaller inputs, saved findings.

An input is bytes, made from a seed alone, so that it can be kept in a file and tried again. A
target raises when an input breaks a promise; whatever it raises is a finding, and so is an input
that takes longer than the target's limit.
"""

from __future__ import annotations

import re
import signal
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

SHRINK_S = 5.0  # the longest that a failing input is made smaller


class TooSlow(Exception):
    """An input took longer than its target allows."""


class Broken(AssertionError):
    """An input broke a promise."""


class Target(ABC):
    """Something that is fuzzed. `folder` is its own, and empty at first."""

    name: str
    about: str
    limit_s: float = 2.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, random: Random) -> bytes:
        """Return an input."""

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Try an input. Raises for one that breaks a promise."""

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Let go of what is open."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that breaks a promise: where it is kept, and what was said."""

    path: Path
    text: str


@dataclass
class Session:
    """One run of one target."""

    target: Target
    seed: int
    inputs: int = 0
    findings: list[Finding] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Try inputs for so long. The n-th input depends on the seed and n alone."""
        end = time.monotonic() + seconds
        known: set[str] = set()
        while time.monotonic() < end:
            random = Random(f"{self.seed} {self.inputs}")
            self.inputs += 1
            data = self.target.make(random)
            error = failure(self.target, data)
            if error is None or (sign := signature(error)) in known:
                continue
            known.add(sign)
            data = shrunk(self.target, data, sign)
            self.findings.append(self._keep(data, failure(self.target, data) or error))

    def _keep(self, data: bytes, error: BaseException) -> Finding:
        prefix = f"fuzz-{self.target.name}-"
        with tempfile.NamedTemporaryFile(prefix=prefix, delete=False) as file:
            file.write(data)
        text = "".join(traceback.format_exception(error))
        return Finding(Path(file.name), text)


def failure(target: Target, data: bytes) -> BaseException | None:
    """Return what a target raises for an input, or nothing."""
    try:
        with limited(target.limit_s):
            target.check(data)
    except Exception as error:
        return error
    return None


@contextmanager
def limited(limit_s: float) -> Iterator[None]:
    """Raise TooSlow in what takes longer, even where it never comes to an end by itself."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"it took longer than {limit_s} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def signature(error: BaseException) -> str:
    """Return what findings have in common that are most likely one: type, place, text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = "" if isinstance(error, TooSlow) or not frames else f"{frames[-1].name}"
    text = re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "…", str(error))[:60]
    return f"{type(error).__name__} {place} {text}"


def shrunk(target: Target, data: bytes, sign: str) -> bytes:
    """Return an input as small as it quickly gets that still fails in the same way."""
    end = time.monotonic() + SHRINK_S

    def fails(smaller: bytes) -> bool:
        error = failure(target, smaller)
        return error is not None and signature(error) == sign

    data = _without_parts(data.splitlines(keepends=True), fails, end)
    return _without_parts([data[n : n + 1] for n in range(len(data))], fails, end)


def _without_parts(parts: list[bytes], fails: Callable[[bytes], bool], end: float) -> bytes:
    """Leave out as many parts as possible, first large runs of them, then small ones."""
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts) and time.monotonic() < end:
            fewer = parts[:at] + parts[at + size :]
            if fails(b"".join(fewer)):
                parts = fewer
            else:
                at += size
        size //= 2
    return b"".join(parts)

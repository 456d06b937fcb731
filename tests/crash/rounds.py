"""One round: random workflows under `groundfog dev`, crash after crash, then a quiet end."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from tests.crash.driver import Driver
from tests.crash.invariants import violations
from tests.crash.launcher import POINTS, VARIABLE
from tests.crash.scripts import LONGEST_SLEEP_MS, random_scripts
from tests.crash.worker import write_project
from tests.end_to_end.projects import edit
from tests.end_to_end.server import DevServer, is_running
from tests.waiting import eventually

LONGEST_LIFE_S = 0.8  # of a server whose bomb does not go off
END_S = 60.0
LAUNCHER = "tests.crash.launcher"
NOTE_EVERY_S = 0.1
DURABILITIES = ("full", "process")
MARK = "# edited "
# What the event loop and our own `log.exception` say.
DEFECTS = ("Exception in callback", "Fatal error", "internal error", "Traceback")


@dataclass(frozen=True, slots=True)
class Crash:
    """What befalls one server: `point` ("" for none) at its n-th passage, kills by the clock."""

    point: str
    passages: int
    host_killed_after_s: float
    guest_killed_after_s: float | None = None
    saved_after_s: float | None = None
    down_for_s: float = 0.0  # then timers become due while nobody is there


@dataclass
class Round:
    """A round in `folder`. `broken` is filled by `run`; an empty list is what we hope for."""

    folder: Path
    seed: int
    instances: int
    crashes: list[Crash]
    durability: str = "full"
    broken: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    killed: int = 0

    def run(self) -> list[str]:
        """Play it; return the broken invariants."""
        self._random = Random(self.seed)
        scripts = random_scripts(self._random, self.instances)
        self._driver = Driver(scripts, self._random)
        self._pids: set[int] = set()
        self._saves = 0
        self._noted = 0.0
        ledger = self.folder / "ledger"
        self._project = write_project(self.folder / "project", ledger, self.durability)
        for crash in self.crashes:
            self._crash(crash)
        self._quiet_end()
        journal = self._project / ".groundfog" / "journal.sqlite"
        self.broken += violations(journal, ledger, scripts, self._driver)
        try:
            eventually(lambda: not any(map(is_running, self._pids)))
        except AssertionError:
            self.broken.append(f"left behind: {[p for p in self._pids if is_running(p)]}")
        return self.broken

    def _crash(self, crash: Crash) -> None:
        server = self._start(f"{crash.point}:{crash.passages}" if crash.point else "")
        try:
            self._drive(server, crash)
        except (EOFError, psutil.NoSuchProcess, ProcessLookupError):
            pass  # killed before it listened, or before we could kill its guest
        finally:
            self.killed += 1
            server.kill()
            self._over(server)
        back_at = time.monotonic() + crash.down_for_s
        eventually(lambda: time.monotonic() >= back_at)

    def _drive(self, server: DevServer, crash: Crash) -> None:
        self._note_processes(server)
        server.wait_until_ready()
        began = time.monotonic()
        guest_at, save_at = crash.guest_killed_after_s, crash.saved_after_s
        if save_at is None and crash.point == "reload":
            save_at = 0.1
        while not server.has_ended:
            self._note_processes(server)
            now = time.monotonic() - began
            if now > crash.host_killed_after_s:
                return
            if guest_at is not None and now > guest_at and server.guest_pids():
                guest_at = None
                server.kill_guest()
            if save_at is not None and now > save_at:
                save_at = None
                self._save()
            self._driver.act(server)

    def _quiet_end(self) -> None:
        server = self._start("")
        try:
            server.wait_until_ready()
            deadline = time.monotonic() + END_S
            while not self._driver.done:
                self._note_processes(server)
                self._driver.act(server)
                if time.monotonic() > deadline:
                    self.broken.append(f"not every instance ended within {END_S} s")
                    break
            if (code := server.stop()) != 0:
                self.broken.append(f"the server ended with {code}")
        except (EOFError, AssertionError) as error:
            self.broken.append(f"the last server: {error}")
        finally:
            server.kill()
            self._over(server)

    def _start(self, point: str) -> DevServer:
        environment = {VARIABLE: point, "PYTHONPATH": str(Path(__file__).parents[2])}
        return DevServer(self._project, env=environment, module=LAUNCHER)

    def _over(self, server: DevServer) -> None:
        server.stop()
        self.output += server.lines
        # A traceback of our own is a defect even when nothing came of it.
        self.broken += [line for line in server.lines if line.startswith(DEFECTS)]

    def _note_processes(self, server: DevServer) -> None:
        """Remember who runs; not at every turn, because it looks at every process there is."""
        if time.monotonic() < self._noted + NOTE_EVERY_S:
            return
        self._noted = time.monotonic()
        try:
            host = psutil.Process(server.pid)
            self._pids |= {host.pid, *(child.pid for child in host.children(recursive=True))}
        except psutil.NoSuchProcess:
            pass

    def _save(self) -> None:
        self._saves += 1
        if self._saves == 1:
            edit(self._project, "LEDGER = ", f"{MARK}1\nLEDGER = ")
        else:
            edit(self._project, f"{MARK}{self._saves - 1}", f"{MARK}{self._saves}")


def at_point(
    folder: Path, point: str, seed: int, durability: str = "full", instances: int = 4
) -> Round:
    """Return a round that crashes twice at `point`, the first time early."""
    random = Random(f"{point} {seed}")
    most = {"reload": 2, "recovery": 1, "recovery-commit": 3}.get(point, 30)
    crashes = []
    for _ in range(2):
        passages = random.randint(min(2, most), most)
        crashes.append(Crash(point, passages, LONGEST_LIFE_S))
    if point.startswith("recovery"):  # there must be something to recover
        crashes.insert(0, Crash("", 0, host_killed_after_s=0.4))
    return Round(folder, seed, instances, crashes, durability)


def at_random(
    folder: Path,
    seed: int,
    durability: str | None = None,
    crashes: int = 4,
    instances: int = 10,
) -> Round:
    """Return a round that kills hosts and guests at random times, at points and between.

    durability: random as well unless given.
    """
    random = Random(seed)
    durability = durability or random.choice(DURABILITIES)
    planned = []
    for _ in range(random.randint(1, crashes)):
        point = random.choice(("", "", *POINTS))
        planned.append(
            Crash(
                point,
                random.randint(1, 40),
                host_killed_after_s=random.uniform(0.0, 1.5),
                guest_killed_after_s=random.uniform(0.0, 1.0) if random.random() < 0.4 else None,
                saved_after_s=random.uniform(0.0, 1.0) if random.random() < 0.5 else None,
                down_for_s=LONGEST_SLEEP_MS / 1000 if random.random() < 0.3 else 0.0,
            )
        )
    return Round(folder, seed, random.randint(3, instances), planned, durability)


def seed_from_environment() -> int:
    """Return `CRASH_SEED`, or a new seed."""
    return int(os.environ.get("CRASH_SEED") or int.from_bytes(os.urandom(4)))

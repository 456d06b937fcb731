"""One round: random workflows under `groundfog dev`, life after life, then a quiet end."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from emulator.engine.guests.blame import KILLS_MAX
from tests.crash import invariants, judging
from tests.crash.chaos import (
    Blow,
    Chaos,
    Life,
    end_life,
    named,
    processes_in,
    random_life,
    random_quiet_blows,
)
from tests.crash.driver import Driver, is_ours, random_operations
from tests.crash.languages import Language, python
from tests.crash.launcher import VARIABLE
from tests.crash.ledger import Ledger
from tests.crash.scripts import FEATURES, Author, Script
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

LONGEST_LIFE_S = 0.8  # of a server whose bomb does not go off
END_S = 60.0
TICK_S = 0.01
LAUNCHER = "tests.crash.launcher"
DURABILITIES = ("full", "process")
# What the event loop and our own `log.exception` say.
DEFECTS = (
    "Exception in callback",
    "Fatal error",
    "internal error",
    "Task exception",
    "Exception ignored",
)


@dataclass
class Round:
    """A round in `folder`. `broken` is filled by `run`; an empty list is what we hope for."""

    folder: Path
    seed: int
    instances: int
    lives: list[Life]
    durability: str = "full"
    language: Language = field(default_factory=python)
    features: frozenset[str] = FEATURES
    shared: bool = False
    quiet_blows: tuple[Blow, ...] = ()
    broken: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    killed: int = 0

    def run(self) -> list[str]:
        """Play it; return the broken promises."""
        random = Random(self.seed)
        self._ledger = Ledger(self.folder / "ledger")
        self._features = self.features - self.language.lacks
        scripts = Author(random, self._features, self.shared).scripts(self.instances)
        operations = random_operations(random, scripts) if "operations" in self._features else []
        rows = 5 if "rows" in self._features else 0
        self._driver = Driver(scripts, operations, self._ledger, random, rows)
        self._project = self.folder / "project"
        with self.language.told(self._ledger) as way:
            self.language.write(self._project, way)
            self._write_settings(random.choice((None, None, 1, 3)))
            for life in self.lives:
                self._live(life)
                self._look_at_what_is_left()
            self._quiet_end()
            self._look_at_what_is_left()
        story = judging.read(self._ledger.lines())
        self.broken += self._driver.violations
        self.broken += judging.violations(story, self._charged(scripts))
        self.broken += invariants.violations(self._journal, scripts, story)
        lost = {*story.rows} - {*self._driver.rows}
        self.broken += [f"row {row} was acknowledged and is not there" for row in sorted(lost)]
        return self.broken

    def _write_settings(self, concurrency: int | None) -> None:
        """concurrency: how many instances may run at once; None for as many as there are."""
        settings = f'{self.language.settings}[engine]\ndurability = "{self.durability}"\n'
        if concurrency is not None:
            settings += f"concurrency = {concurrency}\n"
        (self._project / "groundfog.toml").write_text(settings, encoding="utf-8")

    def _charged(self, scripts: Sequence[Script]) -> set[str]:
        """Return the instances that may be taken for the reason why guests went away.

        An instance that is alone when guests are killed from outside repeatedly counts, too.
        """
        kills = [blow for life in self.lives for blow in life.blows] + [*self.quiet_blows]
        number = sum(blow.kind.startswith("kill") for blow in kills)
        number += sum(life.point in ("reply-unseen", "in-step-guest") for life in self.lives)
        everyone = [one for script in scripts for one in (script, *script.children)]
        return {one.instance for one in everyone if one.is_poison or number >= KILLS_MAX}

    @property
    def _journal(self) -> Path:
        return self._project / ".groundfog" / "journal.sqlite"

    def _live(self, life: Life) -> None:
        server = self._start(f"{life.point}:{life.passages}" if life.point else "")
        chaos = Chaos(server, self.language, self._project, list(life.blows))
        try:
            server.wait_until_ready()
            chaos.began = time.monotonic()
            with self._clients(server) as over:
                while time.monotonic() < chaos.began + life.lasts_s and not server.has_ended:
                    chaos.deal()
                    time.sleep(TICK_S)
                chaos.end()
                over.set()
                end_life(server, self.language, life.ending)
        except (EOFError, psutil.NoSuchProcess):
            pass  # killed before it listened
        except subprocess.TimeoutExpired:
            self.broken.append("the server did not end when it was interrupted")
        finally:
            self.killed += 1
            self._over(server, chaos)
        back_at = time.monotonic() + life.down_for_s
        eventually(lambda: time.monotonic() >= back_at)

    @contextmanager
    def _clients(self, server: DevServer, *, last: bool = False) -> Iterator[threading.Event]:
        """Let two clients act meanwhile, until the event that is yielded is set."""
        over = threading.Event()

        def act(who: int) -> None:
            try:
                while not over.is_set() and not server.has_ended:
                    self._driver.act(server, who, last=last)
            except Exception as error:
                if over.is_set() and "client has been closed" in str(error):
                    return
                self.broken.append(f"the client: {type(error).__name__}: {error}")

        clients = [threading.Thread(target=act, args=(who,)) for who in range(2)]
        for client in clients:
            client.start()
        try:
            yield over
        finally:
            over.set()
            for client in clients:
                client.join()

    def _quiet_end(self) -> None:
        server = self._start("")
        chaos = Chaos(server, self.language, self._project, list(self.quiet_blows))
        try:
            server.wait_until_ready()
            chaos.began = time.monotonic()
            deadline = chaos.began + END_S
            done = False
            with self._clients(server, last=True):
                while not done and not server.has_ended and time.monotonic() < deadline:
                    chaos.deal()
                    time.sleep(TICK_S)
                    done = self._driver.done and chaos.over
            if not done:
                self.broken.append(f"not done within {END_S} s: {self._driver.left}")
            self._driver.look_at_rows(server)
            if (code := server.stop()) != 0:
                self.broken.append(f"the server ended with {code}")
        except (EOFError, AssertionError) as error:
            self.broken.append(f"the last server: {error}")
        finally:
            server.kill()
            self._over(server, chaos)

    def _start(self, point: str) -> DevServer:
        source = str(Path(__file__).parents[2])
        environment = {VARIABLE: point, "PYTHONPATH": source, **self.language.environment}
        # Every process of a round is known by its working directory, which forks inherit.
        return DevServer(self._project, env=environment, module=LAUNCHER, cwd=self._project)

    def _over(self, server: DevServer, chaos: Chaos) -> None:
        chaos.end()
        server.kill()
        server.stop()
        self._ledger.note("over")
        self.output += server.lines
        # A traceback of our own is a defect even when nothing came of it.
        self.broken += [line for line in server.lines if line.startswith(DEFECTS) or is_ours(line)]

    def _look_at_what_is_left(self) -> None:
        """No process outlives its host for long, and the journal is sound as it was left."""
        try:
            eventually(lambda: not processes_in(self._project.resolve()), 5.0)
        except AssertionError:
            left = processes_in(self._project.resolve())
            self.broken.append(f"left behind: {[named(pid) for pid in left]}")
        self.broken += invariants.problems_left(self._journal)


def at_points(
    folder: Path,
    points: Sequence[str],
    seed: int,
    durability: str = "full",
    instances: int = 4,
    language: Language | None = None,
) -> Round:
    """Return a round with a life for each of the points, which ends there."""
    random = Random(f"{' '.join(points)} {seed}")
    lives = []
    for point in points:
        most = {"reload": 2, "recovery": 1, "recovery-commit": 3}.get(point, 30)
        passages = random.randint(min(2, most), most)
        saves = (Blow(0.1, "save"),) if point == "reload" else ()
        lives.append(Life(point, passages, LONGEST_LIFE_S, saves))
    if points[0].startswith("recovery"):  # there must be something to recover
        lives.insert(0, Life(lasts_s=0.4))
    return Round(folder, seed, instances, lives, durability, language or python())


def at_random(
    folder: Path,
    seed: int,
    durability: str | None = None,
    *,
    language: Language | None = None,
    features: frozenset[str] = FEATURES,
    shared: bool = False,
    lives: int = 3,
    instances: int = 8,
) -> Round:
    """Return a round of random blows to random workflows.

    durability: random as well unless given. shared: it is about nested steps of one name.
    """
    random = Random(seed)
    language = language or python()
    durability = durability or random.choice(DURABILITIES)
    planned = [random_life(random, features) for _ in range(random.randint(1, lives))]
    blows = random_quiet_blows(random, features)
    count = random.randint(3, instances)
    return Round(folder, seed, count, planned, durability, language, features, shared, blows)


def seed_from_environment() -> int:
    """Return `CRASH_SEED`, or a new seed."""
    return int(os.environ.get("CRASH_SEED") or int.from_bytes(os.urandom(4)))

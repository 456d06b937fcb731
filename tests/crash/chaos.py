"""What befalls a server and its processes while it works, and how its life ends."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from tests.crash.languages import Language
from tests.crash.launcher import POINTS
from tests.crash.scripts import LONGEST_SLEEP_MS
from tests.end_to_end.projects import edit
from tests.end_to_end.server import DevServer

# How often each happens, and the feature it belongs to.
_BLOWS = (
    ("save", 4, "saves"),
    ("save twice", 1, "saves"),
    ("broken save", 1, "saves"),
    ("configure", 1, "saves"),
    ("kill guest", 3, ""),
    ("stop guest", 2, "stops"),
    ("stop host", 1, "stops"),
    ("stop helper", 1, "stops"),
    ("kill helper", 1, "helpers"),
)
_ENDINGS = (
    ("kill", 4, ""),
    ("kill host and helper", 2, "helpers"),
    ("kill host and guests", 1, "helpers"),
    ("kill everyone", 1, "helpers"),
    ("interrupt", 1, ""),
)
BROKEN = "this is no code\n"  # in any language


@dataclass(frozen=True, slots=True)
class Blow:
    """One thing that happens so long after the start; what is stopped goes on after `for_s`."""

    at_s: float
    kind: str
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """What befalls one server: `point` ("" for none) at its n-th passage, blows by the clock."""

    point: str = ""
    passages: int = 0
    lasts_s: float = 0.8
    blows: tuple[Blow, ...] = ()
    ending: str = "kill"
    down_for_s: float = 0.0  # then timers become due while nobody is there


def random_life(random: Random, features: frozenset[str]) -> Life:
    """Return a life of up to a second and a half."""
    lasts_s = random.uniform(0.0, 1.5)
    blows = [
        Blow(random.uniform(0.0, lasts_s), _one_of(random, _BLOWS, features), _stop_s(random))
        for _ in range(random.choice((0, 1, 2, 2, 3, 4)))
    ]
    return Life(
        random.choice(("", "before-commit", "before-commit", *POINTS)),
        random.randint(1, 40),
        lasts_s,
        tuple(sorted(blows, key=lambda blow: blow.at_s)),
        _one_of(random, _ENDINGS, features),
        LONGEST_SLEEP_MS / 1000 if random.random() < 0.2 else 0.0,
    )


def random_quiet_blows(random: Random, features: frozenset[str]) -> tuple[Blow, ...]:
    """Return what befalls the last server, which lives on until everything has ended."""
    blows = (
        Blow(random.uniform(0.0, 1.0), _one_of(random, _BLOWS, features), _stop_s(random))
        for _ in range(random.choice((0, 0, 1, 2)))
    )
    return tuple(sorted(blows, key=lambda blow: blow.at_s))


def _one_of(
    random: Random, choices: tuple[tuple[str, int, str], ...], features: frozenset[str]
) -> str:
    possible = [
        (kind, weight) for kind, weight, feature in choices if not feature or feature in features
    ]
    return random.choices([kind for kind, _ in possible], [weight for _, weight in possible])[0]


def _stop_s(random: Random) -> float:
    return random.choice((0.05, 0.3, 1.2))


@dataclass
class Chaos:
    """Deals the blows of one server's life when they are due."""

    server: DevServer
    language: Language
    project: Path
    blows: list[Blow]
    began: float = field(default_factory=time.monotonic)
    _stopped: list[tuple[float, int]] = field(default_factory=list)  # until when, pid
    _repair_at: float | None = None

    def deal(self) -> None:
        """Do what is due."""
        now = time.monotonic() - self.began
        for until, pid in list(self._stopped):
            if now >= until:
                self._stopped.remove((until, pid))
                _signal(pid, signal.SIGCONT)
        if self._repair_at is not None and now >= self._repair_at:
            self._repair()
        while self.blows and now >= self.blows[0].at_s:
            blow = self.blows.pop(0)
            with contextlib.suppress(psutil.NoSuchProcess):
                self._strike(blow, now)

    @property
    def over(self) -> bool:
        """Whether everything has been dealt, and whoever was stopped goes on."""
        return not self.blows and not self._stopped and self._repair_at is None

    def end(self) -> None:
        """Let go on what is stopped, and leave code that can be loaded."""
        for _, pid in self._stopped:
            _signal(pid, signal.SIGCONT)
        self._stopped.clear()
        self._repair()

    def _strike(self, blow: Blow, now: float) -> None:
        server = self.server
        match blow.kind:
            case "save":
                self._save()
            case "save twice":
                self._save()
                self._save()
            case "broken save":
                if self._repair_at is None:
                    self._edit(self.language.mark, f"{BROKEN}{self.language.mark}")
                    self._repair_at = now + blow.for_s
            case "configure":
                text = (self.project / "wrangler.toml").read_text(encoding="utf-8")
                number = int(text.split("EDITED = ")[1].split()[0])
                old, new = f"EDITED = {number}\n", f"EDITED = {number + 1}\n"
                edit(self.project, old, new, "wrangler.toml")
            case "kill guest":
                for pid in self.language.guests(server)[-1:]:
                    _signal(pid, signal.SIGKILL)
            case "kill helper":
                for pid in self.language.helpers(server):
                    _signal(pid, signal.SIGKILL)
            case "stop guest":
                self._stop(self.language.guests(server), now + blow.for_s)
            case "stop host":
                self._stop([server.pid], now + min(blow.for_s, 0.5))
            case "stop helper":
                self._stop(self.language.helpers(server), now + blow.for_s)

    def _stop(self, pids: list[int], until: float) -> None:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
            self._stopped.append((until, pid))

    def _save(self) -> None:
        mark = self.language.mark
        text = (self.project / self.language.main).read_text(encoding="utf-8")
        number = int(text.split(mark)[1].split()[0])
        self._edit(f"{mark}{number}\n", f"{mark}{number + 1}\n")

    def _edit(self, old: str, new: str) -> None:
        edit(self.project, old, new, self.language.main)

    def _repair(self) -> None:
        if self._repair_at is not None:
            self._edit(BROKEN, "")
            self._repair_at = None


def end_life(server: DevServer, language: Language, ending: str) -> None:
    """End a server in this way, if it has not ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        match ending:
            case "kill host and helper":
                _kill_at_once([server.pid, *language.helpers(server)])
            case "kill host and guests":
                _kill_at_once([server.pid, *language.guests(server)])
            case "kill everyone":
                everyone = (*language.helpers(server), *language.guests(server))
                _kill_at_once([server.pid, *everyone])
            case "interrupt":
                _signal(server.pid, signal.SIGINT)
                server.wait_for_exit()
    server.kill()


def _kill_at_once(pids: list[int]) -> None:
    for pid in pids:  # so that none of them sees another die
        _signal(pid, signal.SIGSTOP)
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def processes_in(folder: Path) -> list[int]:
    """Return who still runs with its working directory in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
    return found


def named(pid: int) -> str:
    """Return a process with its name, for a person."""
    try:
        return f"{psutil.Process(pid).name()} ({pid})"
    except psutil.Error:
        return str(pid)
